/** Values to colours. A map's colour depends on its value and the scale only, never on its neighbours. */

import { interpolateCividis, interpolateViridis } from 'd3-scale-chromatic';
import type { Scale } from '../trace/maps.ts';

export const PALETTES = ['viridis', 'cividis'] as const;
export type Palette = (typeof PALETTES)[number];

export type Rgb = readonly [red: number, green: number, blue: number];

const STEPS = 256;
const tables = new Map<Palette, Rgb[]>();

/** Where a value lies on its scale: 0 at min or below, 1 at max or above, NaN for NaN. */
export function fractionOf(value: number, { min, max }: Scale): number {
  if (Number.isNaN(value)) return NaN;
  // A scale without extent says that every value is the same; the middle claims nothing about it.
  if (max <= min) return 0.5;
  return Math.min(1, Math.max(0, (value - min) / (max - min)));
}

/**
 * The palette's colour, each channel 0 to 255.
 * @param fraction 0 to 1, as from fractionOf; not NaN
 */
export function colourOf(fraction: number, palette: Palette): Rgb {
  const step = Math.round(fraction * (STEPS - 1));
  return tableOf(palette)[step]!;
}

function tableOf(palette: Palette): Rgb[] {
  let table = tables.get(palette);
  if (table === undefined) {
    const interpolate = palette === 'viridis' ? interpolateViridis : interpolateCividis;
    table = Array.from({ length: STEPS }, (_, i) => parseColour(interpolate(i / (STEPS - 1))));
    tables.set(palette, table);
  }
  return table;
}

/** The library writes viridis as #rrggbb and cividis as rgb(r, g, b). */
function parseColour(css: string): Rgb {
  const numbers = css.startsWith('#')
    ? [1, 3, 5].map((at) => Number.parseInt(css.slice(at, at + 2), 16))
    : [...css.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  const [red = 0, green = 0, blue = 0] = numbers;
  return [red, green, blue];
}
