/** Rasters as PNG files. */

import { encode } from 'fast-png';
import type { Raster } from './raster.ts';

/**
 * What one hover may hold. VS Code cuts a MarkdownString at 100,000 characters; base64 takes four
 * characters for three bytes, and the text around the picture needs some too.
 */
export const HOVER_BYTES = 72_000;

/** PNG bytes; RGB where every pixel is opaque, otherwise RGBA. */
export function encodePng({ width, height, rgba }: Raster): Uint8Array<ArrayBuffer> {
  const opaque = isOpaque(rgba);
  const data = opaque ? withoutAlpha(rgba) : new Uint8Array(rgba);
  return Uint8Array.from(encode({ width, height, data, channels: opaque ? 3 : 4 }));
}

/**
 * The widest rendering whose PNG fits.
 * @param maxBytes of the PNG, before base64
 * @param width the width to begin with, in pixels
 * @param render draws at a width; a smaller one must give a smaller file sooner or later
 * @returns undefined if `render` has nothing to draw, or if even 16 pixels do not fit
 */
export function pngUnder(
  maxBytes: number,
  width: number,
  render: (width: number) => Raster | undefined,
): Uint8Array<ArrayBuffer> | undefined {
  for (let tried = width; tried >= 16;) {
    const raster = render(tried);
    if (raster === undefined) return undefined;
    const png = encodePng(raster);
    if (png.length <= maxBytes) return png;
    // A file's size goes roughly with its area; the margin saves a second try, the cap guarantees progress.
    tried = Math.min(tried - 1, Math.floor(tried * Math.sqrt(maxBytes / png.length) * 0.97));
  }
  return undefined;
}

function isOpaque(rgba: Uint8ClampedArray): boolean {
  for (let at = 3; at < rgba.length; at += 4) if (rgba[at] !== 255) return false;
  return true;
}

function withoutAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from]!;
    rgb[to + 1] = rgba[from + 1]!;
    rgb[to + 2] = rgba[from + 2]!;
  }
  return rgb;
}
