/** Both directions of the channel between the extension host and the page that compares two runs. */

import type { AnalysisResult } from '../analysis/table.ts';
import type { BlockLikeness } from '../comparison/latents.ts';
import type { Query } from '../trace/queries.ts';
import type { Trace } from '../trace/schema.ts';

export const SIDES = ['a', 'b'] as const;
export type Side = (typeof SIDES)[number];

/** Host → page. */
export interface ComparisonPageMethods {
  /** Replaces everything shown. */
  show(state: ComparisonState): Promise<void>;
  /** How far the divergence is that was asked for, and what is known of it. */
  found(part: { progress?: string; result?: AnalysisResult<'divergence'> }): Promise<void>;
}

/** Page → host. */
export interface ComparisonPageHost {
  /** The page's script has started; the host answers with `show`. */
  ready(): Promise<void>;
  /** Slices of one trace's arrays; `run` is its id. */
  slice(request: { side: Side; id: number; run: string; query: Query }): Promise<Float32Array[]>;
  cancelSlice(request: { side: Side; id: number }): Promise<void>;
  /** The PNG of a picture of one trace. */
  picture(request: { side: Side; run: string; picture: string }): Promise<Uint8Array>;
  /** Cosines of the latents of blocks that stand for each other; null where sizes differ (JSON knows no undefined). */
  likeness(): Promise<BlockLikeness[] | null>;
  /** Has the model read both runs again. */
  computeDivergence(): Promise<void>;
  cancelDivergence(): Promise<void>;
  /** Opens a run in its own panel or editor. */
  openRun(side: Side): Promise<void>;
}

/** A trace as a page of two names it. */
export interface ComparedRun {
  name: string;
  trace: Trace;
}

export interface ComparisonState {
  a: ComparedRun;
  b: ComparedRun;
  /** What finds the two again after a reload; the page keeps it. */
  refs: { a: string; b: string };
  divergence?: AnalysisResult<'divergence'>;
  /** Why no model can be run now; absent when one can. */
  locked?: string;
}
