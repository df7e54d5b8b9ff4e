/** What is asked of the engine to analyse a run: nothing of a trace's own form, so that any reader of one can ask. */

import type { InterventionKind, InterventionScope } from '../analysis/intervention.ts';
import type { AnalysedRun } from '../analysis/run.ts';
import type { AnalysisName, AnalysisResult } from '../analysis/table.ts';
import type { TraceBranch, TraceProtocol } from '../trace/schema.ts';

/** A picture of the run, as it was given to it or as the trace keeps it. */
export interface AnalysedImage {
  /** As the run names it. */
  id: string;
  name: string;
  bytes: Uint8Array;
  /** Size that the run saw before it resized: a copy of another size is refused. */
  width: number;
  height: number;
}

/** What a run was given, besides its prompt. */
export interface AnalysedInput {
  /** Of all its pictures, in its order. */
  images: AnalysedImage[];
  /** How the run was generated, where the model is to write on. */
  settings: { latents: 'forced' | 'free'; repetitionPenalty: number; maxTokens: number };
  /** Bounds that the run had; absent: the checkpoint's own. */
  minPixels?: number | undefined;
  maxPixels?: number | undefined;
  /** What was fed in place of the model's own latents; absent where nothing was. */
  intervention?: { kind: InterventionKind; scope?: InterventionScope | undefined } | undefined;
  /** How it thought in latents; absent: as its model does by itself. */
  protocol?: TraceProtocol | undefined;
  /** Of a branch: patches that are not seen from a token on. */
  masks?: TraceBranch['masks'];
  /** Of a branch: its parent's latents were not the model's own. */
  replacedBefore?: boolean | undefined;
}

/** A run, as the model that made it is asked about it. */
export interface RunQuestion extends AnalysedInput {
  /** For progress and cancel. */
  id: string;
  run: AnalysedRun;
  /** To compare with, where the analysis takes a second run. */
  other?: AnalysedRun | undefined;
  /** What the other run was given, where the model is to read it too. */
  otherInput?: AnalysedInput | undefined;
  /** Who made the run: the loaded model must be the same. */
  model: { name: string; fingerprint: string; sha256?: string | undefined };
}

export interface AnalyseRequest extends RunQuestion {
  name: AnalysisName;
  /** By the analysis' own schema; what is left out is its default. */
  parameters: Record<string, unknown>;
}

/** What came of it. After a cancel it is what had been computed, if anything. */
export interface AnalysisOutcome<Name extends AnalysisName = AnalysisName> {
  status: 'complete' | 'cancelled';
  result?: AnalysisResult<Name>;
}
