/** Colours as published (d3-scale-chromatic): viridis rises evenly in lightness, red–blue has a middle. */

import { interpolateRdBu, interpolateViridis } from 'd3-scale-chromatic';

export type Rgb = readonly [red: number, green: number, blue: number];

const STEPS = 256;

/** The outermost tenths of red–blue are so dark that the two sides look alike. */
const MARGIN = 0.1;

const SEQUENTIAL = table(interpolateViridis);
const DIVERGING = table((at) => interpolateRdBu(1 - MARGIN - at * (1 - 2 * MARGIN)));

/** @param at 0 to 1 */
export function sequential(at: number): Rgb {
  return SEQUENTIAL[Math.round(at * (STEPS - 1))]!;
}

/** @param at −1 (blue) to 1 (red); 0 is white */
export function diverging(at: number): Rgb {
  return DIVERGING[Math.round(((at + 1) / 2) * (STEPS - 1))]!;
}

function table(interpolate: (at: number) => string): Rgb[] {
  return Array.from({ length: STEPS }, (_, i) => parse(interpolate(i / (STEPS - 1))));
}

/** The library writes viridis as #rrggbb and red–blue as rgb(r, g, b). */
function parse(css: string): Rgb {
  const numbers = css.startsWith('#')
    ? [1, 3, 5].map((at) => Number.parseInt(css.slice(at, at + 2), 16))
    : [...css.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  const [red = 0, green = 0, blue = 0] = numbers;
  return [red, green, blue];
}
