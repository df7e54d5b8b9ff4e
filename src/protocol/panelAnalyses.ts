/** What a panel and its host say to each other about analyses of the run that is shown (src/analysis). */

import type { ParameterField } from '../analysis/field.ts';
import type { AnalysisName, AnalysisResult } from '../analysis/table.ts';
import type { Calibration } from '../evidence/calibration.ts';
import type { OtherVersion } from '../trace/analyses.ts';

/** What there is of an analysis, and how to get it. */
export interface AnalysisAnswer<Name extends AnalysisName = AnalysisName> {
  method: Name;
  /** From the table of analyses. */
  about: { title: string; method: string; source: string; limits: string };
  /** This host can compute it: it has a model, or none is needed. */
  canCompute: boolean;
  /** What computes it elsewhere and keeps it in the trace. */
  command: string;
  /** What can be set of how it is computed, holding what the result was computed with, else the defaults. */
  fields: ParameterField[];
  /** Absent: the trace keeps none, or none of a form that can be shown. */
  found?: FoundAnalysis<Name>;
  /** What the trace keeps was computed by another version of the method. */
  other?: OtherVersion;
  /** Of a test: what it says of the control models. */
  calibration?: Calibration;
}

export interface FoundAnalysis<Name extends AnalysisName = AnalysisName> {
  result: AnalysisResult<Name>;
  /** partial: it was stopped. */
  status: 'partial' | 'complete';
  /** Who computed it, where a model was needed. */
  model?: string;
  device?: string;
  /** Id of the run that it was compared with. */
  other?: string;
}

/** Of an analysis that is being computed: what is known so far, or how far it is. */
export interface AnalysisPart {
  /** Of the request. */
  id: number;
  progress?: string;
  result?: AnalysisResult<AnalysisName>;
}

/** Panel → host. `run` is the id of the trace that is shown. */
export interface AnalysesHost {
  /** What the trace keeps of it. */
  analysis(request: { run: string; method: AnalysisName }): Promise<AnalysisAnswer>;
  /**
   * Computes it and keeps it with the run; where it compares, the reader chooses with what.
   * @param request `parameters` are by the analysis' own schema; what is left out is its default
   */
  analyse(request: {
    id: number;
    run: string;
    method: AnalysisName;
    parameters: Record<string, unknown>;
  }): Promise<AnalysisAnswer>;
  /** Stops it: the answer is then what was computed so far. */
  cancelAnalysis(id: number): Promise<void>;
  /** Has the reader choose the folder of the run's model. @returns whether one was chosen */
  chooseModel(): Promise<boolean>;
  /** Computes anew what the tests say of the control models. @returns whether it was done */
  calibrate(): Promise<boolean>;
}
