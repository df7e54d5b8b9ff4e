/** Colours for drawing: sRGB with 8 bits, and how different two of them look. */

import { between, type Random } from '../base/random.ts';

/** Red, green, blue, 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** @param hue in degrees; saturation and lightness from 0 to 1 */
export function hsl(hue: number, saturation: number, lightness: number): Rgb {
  const chroma = saturation * Math.min(lightness, 1 - lightness);
  const channel = (n: number): number => {
    const k = (n + (((hue % 360) + 360) % 360) / 30) % 12;
    return Math.round(255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** Ranges to draw a colour from: hue in degrees (may pass 360), saturation and lightness from 0 to 1. */
export interface ColourRange {
  hue: readonly [low: number, high: number];
  saturation: readonly [low: number, high: number];
  lightness: readonly [low: number, high: number];
}

export function drawColour(random: Random, { hue, saturation, lightness }: ColourRange): Rgb {
  return hsl(between(random, ...hue), between(random, ...saturation), between(random, ...lightness));
}

/** `share` 0 gives `from`, 1 gives `to`. */
export function mix(from: Rgb, to: Rgb, share: number): Rgb {
  const channel = (i: 0 | 1 | 2): number => Math.round(from[i] + (to[i] - from[i]) * share);
  return [channel(0), channel(1), channel(2)];
}

/** Black or white, whichever is farther. */
export function opposite(colour: Rgb): Rgb {
  return lab(colour)[0] > 50 ? [0, 0, 0] : [255, 255, 255];
}

/**
 * Difference as seen: the distance in CIELAB (CIE76; 2 is just visible, black and white are 100 apart), but
 * at most a third of the distance in RGB, because CIE76 makes much of the hues of colours that are all but black.
 */
export function colourDistance(a: Rgb, b: Rgb): number {
  const [l, x, y] = lab(a);
  const [m, u, v] = lab(b);
  const rgb = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
  return Math.min(Math.hypot(l - m, x - u, y - v), rgb / 3);
}

/** The smallest distance to any of `others`; Infinity if there are none. */
export function nearest(colour: Rgb, others: readonly Rgb[]): number {
  return Math.min(...others.map((other) => colourDistance(colour, other)));
}

/** CIELAB for the white of sRGB (D65); IEC 61966-2-1 and CIE 15. */
function lab([red, green, blue]: Rgb): [lightness: number, a: number, b: number] {
  const [r, g, b] = [LINEAR[red]!, LINEAR[green]!, LINEAR[blue]!];
  const x = compress((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
  const y = compress(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = compress((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** sRGB's transfer function, for each 8-bit value. */
const LINEAR = Float64Array.from({ length: 256 }, (_, value) => {
  const share = value / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
});

function compress(t: number): number {
  return t > 216 / 24389 ? Math.cbrt(t) : (t * (24389 / 27) + 16) / 116;
}
