/** What a panel and its host say to each other about analyses of the run that is shown (src/analysis). */

import type { AnalysisName, AnalysisResult } from '../analysis/table.ts';

/** What there is of an analysis, and how to get it. */
export interface AnalysisAnswer<Name extends AnalysisName = AnalysisName> {
  method: Name;
  /** From the table of analyses. */
  about: { title: string; method: string; source: string; limits: string };
  /** This host can compute it: it has a model, or none is needed. */
  canCompute: boolean;
  /** What computes it elsewhere and keeps it in the trace. */
  command: string;
  /** Absent: the trace keeps none. */
  found?: FoundAnalysis<Name>;
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
  /** Computes it with its usual parameters and keeps it with the run; where it compares, the reader chooses with what. */
  analyse(request: { id: number; run: string; method: AnalysisName }): Promise<AnalysisAnswer>;
  /** Stops it: the answer is then what was computed so far. */
  cancelAnalysis(id: number): Promise<void>;
}
