/** The colour scale: viridis, whose lightness rises evenly, so that it also reads in grey. */

import { interpolateViridis } from 'd3-scale-chromatic';
import type { Scale } from '../../trace/maps.ts';

const STEPS = 256;

/** RGB triples of the scale's 256 steps. */
const TABLE = Uint8ClampedArray.from(
  Array.from({ length: STEPS }, (_, i) => parse(interpolateViridis(i / (STEPS - 1)))).flat(),
);

/** Where `value` lies on the scale, from 0 to 1; values outside are clipped, NaN stays NaN. */
export function fraction(value: number, { min, max }: Scale): number {
  if (Number.isNaN(value)) return NaN;
  // A flat map has no contrast to show: all of it is the middle.
  return max > min ? Math.min(1, Math.max(0, (value - min) / (max - min))) : 0.5;
}

/** RGB, 0 to 255, of a fraction of the scale. */
export function rgb(at: number): [number, number, number] {
  const step = Math.round(at * (STEPS - 1)) * 3;
  return [TABLE[step]!, TABLE[step + 1]!, TABLE[step + 2]!];
}

/** Share of the opacity that the scale's lower end keeps; small values leave the picture visible. */
const LEAST = 0.35;

/** Opacity at a fraction of the scale: it rises with the value, in the map and in its colour bar alike. */
export function alpha(at: number, opacity: number): number {
  return opacity * (LEAST + (1 - LEAST) * at);
}

/** Writes a map as RGBA pixels, one per patch. Patches without a value are transparent. */
export function paint(values: Float32Array, scale: Scale, opacity: number): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(values.length * 4);
  for (let i = 0; i < values.length; i++) {
    const at = fraction(values[i]!, scale);
    if (Number.isNaN(at)) continue;
    const step = Math.round(at * (STEPS - 1)) * 3;
    pixels[i * 4] = TABLE[step]!;
    pixels[i * 4 + 1] = TABLE[step + 1]!;
    pixels[i * 4 + 2] = TABLE[step + 2]!;
    pixels[i * 4 + 3] = Math.round(alpha(at, opacity) * 255);
  }
  return pixels;
}

/** "#440154" or "rgb(68, 1, 84)", which d3 gives. */
function parse(colour: string): number[] {
  return colour.startsWith('#')
    ? [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
    : (colour.match(/\d+/g) ?? []).map(Number);
}
