/** Visual mass and entropy at every generated position: does attention narrow inside a block? */

import { entropyOf, totalOf } from '../heatmap/statistics.ts';
import type { Choice } from '../trace/choice.ts';
import { visualCount } from '../trace/columns.ts';
import { lookAt, shareLayer } from '../trace/looks.ts';
import type { RunMaps } from '../trace/runMaps.ts';
import type { Trace } from '../trace/schema.ts';
import { familyOf } from '../trace/maps.ts';
import type { Family } from '../trace/queries.ts';

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
 * One point per position that the trace knows. Words store the mean of their heads only, so where a head is chosen
 * there are latents only, as far as their slices are at hand.
 *
 * Entropies over several layers: of averaged heads, the mean of the layers' entropies; of one head, the entropy of
 * the layers' mean.
 */
export function spanOf(trace: Trace, maps: RunMaps, layer: Choice, heads: Choice): Span {
  const patches = visualCount(trace);
  const used = { layer: shareLayer(layer), heads: heads === 'max' ? 'mean' : heads } as const;
  const family = spanFamily(trace, layer, used.heads);
  const points: SpanPoint[] = [];
  if (family === undefined && patches > 0) {
    trace.tokens.forEach((position, token) => {
      const look = lookAt(position, used.layer);
      if (look !== undefined) points.push({ token, mass: look.mass.pictures, bits: look.bits });
    });
  } else if (family !== undefined) {
    trace.latents.forEach(({ token }, i) => {
      const visual = maps.slices.at(family, i);
      if (visual) points.push({ token, mass: totalOf(visual), bits: entropyOf(visual).bits });
    });
  }
  return { points, uniformBits: patches > 0 ? Math.log2(patches) : 0, ...used };
}

/** The point of a position itself. */
export function pointAt<Point extends { token: number }>(
  points: readonly Point[],
  token: number | undefined,
): Point | undefined {
  const point = token === undefined ? undefined : nearestPoint(points, token);
  return point?.token === token ? point : undefined;
}

/** The point at a position, or the nearest there is; undefined without any. */
export function nearestPoint<Point extends { token: number }>(
  points: readonly Point[],
  token: number,
): Point | undefined {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]!.token < token) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [points[low - 1], points[low]];
  if (before === undefined || after === undefined) return before ?? after;
  return token - before.token <= after.token - token ? before : after;
}

/** Runs of neighbouring positions; a line must not bridge positions that were not measured. */
export function runsOf<Point extends { token: number }>(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [];
  for (const point of points) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1)!.token === point.token - 1) run.push(point);
    else runs.push([point]);
  }
  return runs;
}

/** What the chart of a single head is made of; averaged heads need nothing but the trace itself. */
export function spanFamily(trace: Trace, layer: Choice, heads: Choice): Family | undefined {
  if (typeof heads !== 'number' || visualCount(trace) === 0) return undefined;
  return familyOf({ kind: 'attention', picture: '', layer: shareLayer(layer), heads });
}
