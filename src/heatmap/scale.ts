/**
 * The scale: which value is drawn as nothing, and which as much as there is. A scale spans the maps it is
 * made from, so the reader chooses whether latents of a run, of a block, or none can be compared.
 */

import { SCALE_PERCENTILE } from './constants.ts';
import type { HeatMap, MapKind } from './map.ts';
import { percentile } from './statistics.ts';

/** Whose values a scale spans. */
export const SCOPES = ['run', 'block', 'latent'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Scale {
  /** Ends of the colour bar. */
  min: number;
  max: number;
  /** The value that is drawn as nothing. */
  zero: number;
  /** The values' own extremes, which may lie beyond the ends: those are drawn like the end. */
  least: number;
  most: number;
  /** Values below `zero` are drawn as well, in colours of their own. */
  diverging: boolean;
}

/** What a scale is made from; arrays of values give it, and so could stored figures of a run. */
export interface Spread {
  least: number;
  most: number;
  /** Percentile of the values; where a scale diverges, of their distances from 0. */
  top: number;
  /** Mean of the values. */
  mean: number;
}

/** One scale for all `maps`, which must be of one kind and reading. */
export function scaleOf(maps: readonly HeatMap[]): Scale {
  const { kind, reading } = maps[0] ?? { kind: 'attention', reading: 'raw' };
  return scaleFrom(kind, reading, spreadOf(maps, isDiverging(kind, reading)));
}

/**
 * - attention: from 0, since a probability has a natural zero;
 * - selection: nothing is what is not above chance, the uniform value;
 * - similarity, attention against its mean, and one map less another: as far below 0 as above.
 */
export function scaleFrom(
  kind: MapKind,
  reading: HeatMap['reading'],
  { least, most, top, mean }: Spread,
): Scale {
  const diverging = isDiverging(kind, reading);
  const ends = { least, most, diverging };
  if (diverging) return { ...ends, min: -top, max: top, zero: 0 };
  if (kind === 'selection') return { ...ends, min: least, max: top, zero: mean };
  // Where all but a few values are 0, those few would lie beyond an end at 0.
  return { ...ends, min: 0, max: top > 0 ? top : most, zero: 0 };
}

/** Where a value lies between nothing (0) and the scale's ends (−1 and 1); NaN for NaN. */
export function strengthOf(value: number, { min, zero, max, diverging }: Scale): number {
  if (Number.isNaN(value)) return NaN;
  if (value > zero) return max > zero ? Math.min(1, (value - zero) / (max - zero)) : 0;
  return diverging && min < zero ? Math.max(-1, (value - zero) / (zero - min)) : 0;
}

/** Where a value lies on the bar, from 0 at its lower end to 1; NaN for NaN and on a bar without length. */
export function barPlace(value: number, { min, max }: Scale): number {
  if (Number.isNaN(value) || max <= min) return NaN;
  return Math.min(1, Math.max(0, (value - min) / (max - min)));
}

/** The value at a place on the bar; the inverse of barPlace. */
export function barValue(at: number, { min, max }: Scale): number {
  return min + at * (max - min);
}

function isDiverging(kind: MapKind, reading: HeatMap['reading']): boolean {
  return kind === 'similarity' || reading === 'relative' || reading === 'difference';
}

function spreadOf(maps: readonly HeatMap[], diverging: boolean): Spread {
  // One pass: a run has tens of thousands of values, and every layer that is looked at has a scale.
  const values = new Float32Array(maps.reduce((length, map) => length + map.values.length, 0));
  let [count, total, least, most] = [0, 0, Infinity, -Infinity];
  for (const map of maps) {
    for (let i = 0; i < map.values.length; i++) {
      const value = map.values[i]!;
      if (Number.isNaN(value)) continue;
      values[count++] = diverging ? Math.abs(value) : value;
      total += value;
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  if (count === 0) return { least: 0, most: 1, top: 1, mean: 0 };
  return { least, most, mean: total / count, top: percentile(values.subarray(0, count), SCALE_PERCENTILE) };
}
