/** A trace's pictures as pixels, however small or large they are to be drawn. */

import { deflateSync, inflateSync } from 'node:zlib';
import { convertIndexedToRgb, decode, type DecodedPng } from 'fast-png';
import { messageOf } from '../base/errors.ts';
import { joined, MAX_PICTURE_BYTES, plainPng, refused, type PlainPng } from '../trace/picture.ts';
import type { TracePicture } from '../trace/schema.ts';
import { blank, resample, type Raster } from './raster.ts';

/** What drawing needs of a picture. */
export interface EncodedPicture extends Pick<TracePicture, 'name' | 'width' | 'height'> {
  png: Uint8Array;
  /** sha256 of the PNG: what the picture is known by. */
  sha256: string;
}

/** Pictures whose drawings are kept: a hover shows that many. */
const MAX_PICTURES = 4;
/** Widths that are kept of each: those of a hover and a strip, and the smaller ones that are tried. */
const MAX_WIDTHS = 8;
/** Height of a drawing in widths: taller pictures are drawn narrower. */
const MAX_HEIGHT = 8;

/** By sum: whoever asks from another thread sends a copy each time. */
const scaled = new Map<string, Map<string, Raster>>();
let last: { picture: EncodedPicture; raster: Raster } | undefined;

/**
 * The picture's upright pixels; shared, so do not draw on them.
 * @throws UserError if they are no PNG, are damaged, too many, or contradict the size that the trace states
 */
export function rasterOf(picture: EncodedPicture): Raster {
  if (last === undefined || !isSame(last.picture, picture)) {
    last = { picture, raster: decodePicture(picture) };
  }
  return last.raster;
}

/** The picture as it is drawn at most `width` pixels wide, in its own proportions; shared, so do not draw on it. */
export function pictureAt(picture: EncodedPicture, width: number): Raster {
  const size = drawnSize(picture, width);
  const key = `${size.width} × ${size.height}`;
  const known = scaled.get(picture.sha256) ?? new Map<string, Raster>();
  let raster = known.get(key);
  if (raster === undefined) {
    raster = resample(rasterOf(picture), size.width, size.height);
    if (known.size >= MAX_WIDTHS) known.clear();
    known.set(key, raster);
  }
  // Set again, so that the first is the one unused for longest.
  scaled.delete(picture.sha256);
  scaled.set(picture.sha256, known);
  for (const old of [...scaled.keys()].slice(0, -MAX_PICTURES)) scaled.delete(old);
  return raster;
}

/** Pixels of a picture that is drawn at most `width` wide: its proportions, at least 1, at most 8 widths high. */
export function drawnSize(
  picture: Pick<TracePicture, 'width' | 'height'>,
  width: number,
): { width: number; height: number } {
  const scale = Math.min(width / picture.width, (MAX_HEIGHT * width) / picture.height);
  const pixels = (side: number): number => Math.max(1, Math.round(side * scale));
  return { width: pixels(picture.width), height: pixels(picture.height) };
}

function isSame(a: EncodedPicture, b: EncodedPicture): boolean {
  return a.width === b.width && a.height === b.height && a.sha256 === b.sha256;
}

function decodePicture(picture: EncodedPicture): Raster {
  if (picture.png.length > MAX_PICTURE_BYTES) {
    throw refused(picture, `a PNG file of at most ${MAX_PICTURE_BYTES} bytes`, 'a larger one');
  }
  const png = plainPng(picture.png, picture);
  try {
    return toRgba(decode(inflated(png)));
  } catch (error) {
    throw refused(picture, 'a complete PNG file', messageOf(error));
  }
}

/**
 * The same PNG with its data stored rather than compressed. The decoder inflates whatever there is; here it ends
 * where the pixels end.
 */
function inflated({ head, data, file, inflatedBytes }: PlainPng): Uint8Array {
  const pixels = inflateSync(joined(data), { maxOutputLength: inflatedBytes });
  if (pixels.length < inflatedBytes) throw new Error(`${pixels.length} of ${inflatedBytes} bytes of pixels`);
  const stored = deflateSync(pixels, { level: 0 });
  const frame = new Uint8Array(12 + stored.length);
  new DataView(frame.buffer).setUint32(0, stored.length);
  frame.set(new TextEncoder().encode('IDAT'), 4);
  frame.set(stored, 8);
  return joined([file.subarray(0, 8), ...head, frame, file.subarray(-12)]);
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
