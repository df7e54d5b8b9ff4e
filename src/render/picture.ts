/** A trace's pictures as pixels, each decoded once for as long as its trace is in memory. */

import { convertIndexedToRgb, decode, hasPngSignature, type DecodedPng } from 'fast-png';
import { fromBase64 } from '../base/base64.ts';
import { messageOf, UserError } from '../base/errors.ts';
import type { TracePicture } from '../trace/schema.ts';
import { blank, resample, type Raster } from './raster.ts';

/** A trace may come from anyone, and a few bytes of PNG can claim any size. */
const MAX_PIXELS = 2 ** 26;

const decoded = new WeakMap<TracePicture, Raster>();
const scaled = new WeakMap<TracePicture, Map<number, Raster>>();

/** A picture that fills a hover and a strip is wanted in a few widths only. */
const MAX_WIDTHS = 8;

/**
 * The picture's upright pixels.
 * @throws UserError if they are no PNG, are damaged, or contradict the size that the trace states
 */
export function rasterOf(picture: TracePicture): Raster {
  let raster = decoded.get(picture);
  if (raster === undefined) {
    raster = decodePicture(picture);
    decoded.set(picture, raster);
  }
  return raster;
}

/** The picture `width` pixels wide, in its own proportions; shared, so do not draw on it. */
export function pictureAt(picture: TracePicture, width: number): Raster {
  let widths = scaled.get(picture);
  if (widths === undefined) scaled.set(picture, (widths = new Map<number, Raster>()));
  let raster = widths.get(width);
  if (raster === undefined) {
    raster = resample(rasterOf(picture), width, heightFor(picture, width));
    if (widths.size >= MAX_WIDTHS) widths.clear();
    widths.set(width, raster);
  }
  return raster;
}

/** Height of the picture when it is drawn `width` pixels wide; at least 1. */
export function heightFor(picture: TracePicture, width: number): number {
  return Math.max(1, Math.round((width * picture.height) / picture.width));
}

function decodePicture(picture: TracePicture): Raster {
  const fail = (expected: string, found: string): never => {
    throw new UserError({
      problem: 'A picture of this trace cannot be shown',
      expected,
      found,
      where: picture.name,
      remedy: 'Export the trace again from the run.',
    });
  };
  const bytes = fromBase64(picture.png);
  if (bytes.length < 24 || !hasPngSignature(bytes)) return fail('a PNG file', `${bytes.length} other bytes`);
  const header = new DataView(bytes.buffer);
  const [width, height] = [header.getUint32(16), header.getUint32(20)];
  if (width !== picture.width || height !== picture.height)
    return fail(`${picture.width} × ${picture.height} pixels`, `${width} × ${height}`);
  if (width * height > MAX_PIXELS) return fail(`at most ${MAX_PIXELS} pixels`, `${width} × ${height}`);
  let png: DecodedPng;
  try {
    png = decode(bytes);
  } catch (error) {
    return fail('a complete PNG file', messageOf(error));
  }
  return toRgba(png);
}

/** PNG holds grey, grey with alpha, RGB, RGBA or palette, at 1 to 16 bits. */
function toRgba(png: DecodedPng): Raster {
  const raster = blank(png.width, png.height);
  const { data, channels, depth } = expand(png);
  const shift = depth === 16 ? 8 : 0;
  const gain = depth < 8 ? 255 / (2 ** depth - 1) : 1;
  const sample = (at: number): number => (data[at]! >> shift) * gain;
  for (let i = 0; i < png.width * png.height; i++) {
    const at = i * channels;
    const grey = channels < 3;
    raster.rgba[i * 4] = sample(at);
    raster.rgba[i * 4 + 1] = sample(grey ? at : at + 1);
    raster.rgba[i * 4 + 2] = sample(grey ? at : at + 2);
    raster.rgba[i * 4 + 3] = channels % 2 === 0 ? sample(at + channels - 1) : 255;
  }
  return raster;
}

interface Samples {
  data: ArrayLike<number>;
  channels: number;
  depth: number;
}

/** Unpacks palettes and bits, so that each sample is one entry. */
function expand(png: DecodedPng): Samples {
  if (png.palette !== undefined) {
    return { data: convertIndexedToRgb(png), channels: png.palette[0]?.length ?? 3, depth: 8 };
  }
  if (png.depth >= 8) return png;
  return { data: unpackBits(png), channels: 1, depth: png.depth };
}

/** Grey below 8 bits comes packed, each row padded to a whole byte. */
function unpackBits({ width, height, data, depth }: DecodedPng): Uint8Array {
  const rowBytes = Math.ceil((width * depth) / 8);
  const perByte = 8 / depth;
  const mask = 2 ** depth - 1;
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const byte = data[y * rowBytes + Math.floor(x / perByte)]!;
    return (byte >> (8 - depth * ((x % perByte) + 1))) & mask;
  });
}
