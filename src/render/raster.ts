/** Pixels in memory: RGBA, 8 bits, row-major. */

import type { Box } from '../heatmap/grid.ts';
import type { Rgb } from '../heatmap/palettes.ts';

export interface Raster {
  width: number;
  height: number;
  /** width × height × 4. */
  rgba: Uint8ClampedArray;
}

/** A transparent raster. */
export function blank(width: number, height: number): Raster {
  return { width, height, rgba: new Uint8ClampedArray(width * height * 4) };
}

/** Copies `source` into `target` with its top left corner at (x, y); it must lie inside. */
export function paste(target: Raster, source: Raster, x: number, y: number): void {
  for (let row = 0; row < source.height; row++) {
    const from = row * source.width * 4;
    target.rgba.set(source.rgba.subarray(from, from + source.width * 4), ((y + row) * target.width + x) * 4);
  }
}

/** Lays a colour over a box; `alpha` from 0 (nothing) to 1 (opaque). */
export function tint(target: Raster, box: Box, [red, green, blue]: Rgb, alpha: number): void {
  for (let y = Math.max(0, box.y0); y < Math.min(target.height, box.y1); y++) {
    for (let x = Math.max(0, box.x0); x < Math.min(target.width, box.x1); x++) {
      const at = (y * target.width + x) * 4;
      target.rgba[at] = mix(target.rgba[at]!, red, alpha);
      target.rgba[at + 1] = mix(target.rgba[at + 1]!, green, alpha);
      target.rgba[at + 2] = mix(target.rgba[at + 2]!, blue, alpha);
      target.rgba[at + 3] = mix(target.rgba[at + 3]!, 255, alpha);
    }
  }
}

/**
 * Resamples to another size: means of boxes when it shrinks, nearest pixels when it grows, so that
 * nothing appears that was not in the picture.
 */
export function resample(source: Raster, width: number, height: number): Raster {
  const target = blank(width, height);
  for (let y = 0; y < height; y++) {
    const rows = span(y, height, source.height);
    for (let x = 0; x < width; x++) {
      average(source, span(x, width, source.width), rows, target.rgba, (y * width + x) * 4);
    }
  }
  return target;
}

/** Source pixels [from, to) that target pixel `i` of `length` covers; at least one. */
function span(i: number, length: number, sourceLength: number): [from: number, to: number] {
  const from = Math.floor((i * sourceLength) / length);
  const to = Math.floor(((i + 1) * sourceLength) / length);
  return [from, Math.max(from + 1, to)];
}

/** Colours are weighted by their alpha: a transparent pixel has no colour to contribute. */
function average(
  { width, rgba }: Raster,
  [x0, x1]: [number, number],
  [y0, y1]: [number, number],
  into: Uint8ClampedArray,
  at: number,
): void {
  let [red, green, blue, alpha] = [0, 0, 0, 0];
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      const i = (y * width + x) * 4;
      const weight = rgba[i + 3]!;
      red += rgba[i]! * weight;
      green += rgba[i + 1]! * weight;
      blue += rgba[i + 2]! * weight;
      alpha += weight;
    }
  }
  if (alpha === 0) return;
  into[at] = red / alpha;
  into[at + 1] = green / alpha;
  into[at + 2] = blue / alpha;
  into[at + 3] = alpha / ((x1 - x0) * (y1 - y0));
}

function mix(from: number, to: number, share: number): number {
  return from + (to - from) * share;
}
