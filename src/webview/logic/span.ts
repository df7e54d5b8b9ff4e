/** Visual mass and entropy at every generated position: does attention narrow inside a block? */

import { entropyOf, totalOf } from '../../heatmap/statistics.ts';
import type { Choice } from '../../trace/maps.ts';
import { queryRow } from '../../trace/rows.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace } from '../../trace/schema.ts';

export interface SpanPoint {
  /** Index into trace.tokens. */
  token: number;
  /** Share of the attention that lies on pictures. */
  mass: number;
  /** Entropy in bits of that share over all patches. */
  bits: number;
}

export interface Span {
  points: SpanPoint[];
  /** Entropy of attention spread evenly over all patches. */
  uniformBits: number;
  /** As they were used: maxima are no shares, so means stand for them. */
  layer: Choice;
  heads: Choice;
}

/**
 * One point per position whose row the trace has. Words store the mean of their heads only, so where a head
 * is chosen there are latents only.
 */
export function spanOf(trace: Trace, maps: RunMaps, layer: Choice, heads: Choice): Span {
  const used = { layer: asShare(layer), heads: asShare(heads) };
  const ranges = trace.pictures.flatMap(({ range }) => (range === undefined ? [] : [range]));
  const patches = ranges.reduce((sum, { count }) => sum + count, 0);
  const points: SpanPoint[] = [];
  const visual = new Float32Array(patches);
  trace.tokens.forEach((_, token) => {
    const isKnown = used.heads === 'mean' || queryRow(trace, token)?.allHeads === true;
    const row = patches > 0 && isKnown ? maps.row(token, used.layer, used.heads) : undefined;
    if (row === undefined) return;
    let offset = 0;
    for (const { start, count } of ranges) {
      visual.set(row.subarray(start, start + count), offset);
      offset += count;
    }
    points.push({ token, mass: totalOf(visual), bits: entropyOf(visual).bits });
  });
  return { points, uniformBits: patches > 0 ? Math.log2(patches) : 0, ...used };
}

function asShare(choice: Choice): Choice {
  return choice === 'max' ? 'mean' : choice;
}

/** The point at a position, or the nearest there is; undefined without any. */
export function nearestPoint(points: readonly SpanPoint[], token: number): SpanPoint | undefined {
  let best: SpanPoint | undefined;
  for (const point of points) {
    if (best === undefined || Math.abs(point.token - token) < Math.abs(best.token - token)) best = point;
  }
  return best;
}

/** Runs of neighbouring positions; a line must not bridge positions that were not measured. */
export function runsOf(points: SpanPoint[]): SpanPoint[][] {
  const runs: SpanPoint[][] = [];
  for (const point of points) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1)!.token === point.token - 1) run.push(point);
    else runs.push([point]);
  }
  return runs;
}
