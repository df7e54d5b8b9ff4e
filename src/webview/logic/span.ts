/** Visual mass and entropy at every generated position: does attention narrow inside a block? */

import { entropyOf } from '../../heatmap/statistics.ts';
import type { Choice } from '../../trace/maps.ts';
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
  layer: Choice;
}

/**
 * One point per position whose row the trace has. Heads are averaged at every position, because tokens
 * store nothing else; layers joined by their maxima give no shares, so those are averaged as well.
 */
export function spanOf(trace: Trace, maps: RunMaps, layer: Choice): Span {
  const used = layer === 'max' ? 'mean' : layer;
  const ranges = trace.pictures.flatMap(({ range }) => (range === undefined ? [] : [range]));
  const patches = ranges.reduce((sum, { count }) => sum + count, 0);
  const points: SpanPoint[] = [];
  const visual = new Float32Array(patches);
  trace.tokens.forEach((_, token) => {
    const row = patches === 0 ? undefined : maps.row(token, used, 'mean');
    if (row === undefined) return;
    let offset = 0;
    for (const { start, count } of ranges) {
      visual.set(row.subarray(start, start + count), offset);
      offset += count;
    }
    const mass = visual.reduce((sum, value) => sum + value, 0);
    points.push({ token, mass, bits: mass > 0 ? entropyOf(visual).bits : 0 });
  });
  return { points, uniformBits: patches > 0 ? Math.log2(patches) : 0, layer: used };
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
