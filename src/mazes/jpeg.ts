/**
 * The artefacts of JPEG without the file: blocks of 8 × 8 go through the cosine transform, are quantised by
 * the standard's example tables (ITU-T T.81, annex K) and come back. What the file format does beyond that
 * loses nothing. Done here because an encoder would make every picture asynchronous and its bytes depend on
 * the library's version.
 */

import type { Picture } from './picture.ts';

const LUMINANCE = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22,
  29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103,
  121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMINANCE = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/** One channel; chroma has half the picture's sides. */
interface Plane {
  width: number;
  height: number;
  values: Float32Array;
}

/** @param quality 1 to 100 as in libjpeg; chroma has half the resolution (4:2:0) */
export function compressJpeg(picture: Picture, quality: number): void {
  const { luma, blue, red } = toPlanes(picture);
  quantise(luma, tableFor(LUMINANCE, quality));
  quantise(blue, tableFor(CHROMINANCE, quality));
  quantise(red, tableFor(CHROMINANCE, quality));
  fromPlanes(picture, luma, blue, red);
}

/** libjpeg's scaling (jcparam.c, jpeg_quality_scaling). */
function tableFor(table: readonly number[], quality: number): Float32Array {
  const scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return Float32Array.from(table, (value) =>
    Math.min(255, Math.max(1, Math.floor((value * scale + 50) / 100))),
  );
}

/** JFIF's YCbCr, centred on 0. */
function toPlanes({ width, height, rgb }: Picture): { luma: Plane; blue: Plane; red: Plane } {
  const luma = plane(width, height);
  const [half, high] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const [blue, red] = [plane(half, high), plane(half, high)];
  const counts = new Uint8Array(half * high);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const r = rgb[at * 3]!;
      const g = rgb[at * 3 + 1]!;
      const b = rgb[at * 3 + 2]!;
      luma.values[at] = 0.299 * r + 0.587 * g + 0.114 * b - 128;
      const chroma = (y >> 1) * half + (x >> 1);
      blue.values[chroma]! += -0.168736 * r - 0.331264 * g + 0.5 * b;
      red.values[chroma]! += 0.5 * r - 0.418688 * g - 0.081312 * b;
      counts[chroma]!++;
    }
  }
  for (let i = 0; i < counts.length; i++) {
    blue.values[i]! /= counts[i]!;
    red.values[i]! /= counts[i]!;
  }
  return { luma, blue, red };
}

function fromPlanes({ width, height, rgb }: Picture, luma: Plane, blue: Plane, red: Plane): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const chroma = (y >> 1) * blue.width + (x >> 1);
      const l = luma.values[at]! + 128;
      const b = blue.values[chroma]!;
      const r = red.values[chroma]!;
      rgb[at * 3] = clamp(l + 1.402 * r);
      rgb[at * 3 + 1] = clamp(l - 0.344136 * b - 0.714136 * r);
      rgb[at * 3 + 2] = clamp(l + 1.772 * b);
    }
  }
}

function plane(width: number, height: number): Plane {
  return { width, height, values: new Float32Array(width * height) };
}

function clamp(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value)));
}

function quantise(channel: Plane, table: Float32Array): void {
  const block = new Float32Array(64);
  for (let top = 0; top < channel.height; top += 8) {
    for (let left = 0; left < channel.width; left += 8) {
      readBlock(channel, top, left, block);
      if (isEven(block)) {
        // Only the constant term, 8 times the value, is left to round.
        writeBlock(channel, top, left, block.fill((Math.round((block[0]! * 8) / table[0]!) * table[0]!) / 8));
        continue;
      }
      for (let i = 0; i < 8; i++) transformLine(block, 8 * i, 1);
      for (let i = 0; i < 8; i++) transformLine(block, i, 8);
      for (let i = 0; i < 64; i++) block[i] = Math.round(block[i]! / table[i]!) * table[i]!;
      for (let i = 0; i < 8; i++) restoreLine(block, i, 8);
      for (let i = 0; i < 8; i++) restoreLine(block, 8 * i, 1);
      writeBlock(channel, top, left, block);
    }
  }
}

function isEven(block: Float32Array): boolean {
  for (let i = 1; i < 64; i++) if (block[i] !== block[0]) return false;
  return true;
}

/** The last row and column repeat beyond the edge. */
function readBlock({ width, height, values }: Plane, top: number, left: number, block: Float32Array): void {
  for (let i = 0; i < 64; i++) {
    const y = Math.min(height - 1, top + (i >> 3));
    block[i] = values[y * width + Math.min(width - 1, left + (i & 7))]!;
  }
}

function writeBlock({ width, height, values }: Plane, top: number, left: number, block: Float32Array): void {
  for (let i = 0; i < 64; i++) {
    const y = top + (i >> 3);
    const x = left + (i & 7);
    if (y < height && x < width) values[y * width + x] = block[i]!;
  }
}

/** ½ cos(u π / 16) for u = 1 … 7; entry 0 stands for the constant, whose factor is ½ √½. */
const [K0, K1, K2, K3, K4, K5, K6, K7] = [4, 1, 2, 3, 4, 5, 6, 7].map(
  (u) => 0.5 * Math.cos((u * Math.PI) / 16),
) as [number, number, number, number, number, number, number, number];

/**
 * The orthonormal cosine transform of eight values, in place:
 *
 *   X[u] = ½ c(u) Σ x[i] cos((2i + 1) u π / 16), c(0) = √½, else 1
 *
 * Even u need only the sums of opposite values, odd u only their differences.
 */
function transformLine(b: Float32Array, at: number, stride: number): void {
  const i1 = at + stride;
  const i2 = at + 2 * stride;
  const i3 = at + 3 * stride;
  const i4 = at + 4 * stride;
  const i5 = at + 5 * stride;
  const i6 = at + 6 * stride;
  const i7 = at + 7 * stride;
  const s0 = b[at]! + b[i7]!;
  const s1 = b[i1]! + b[i6]!;
  const s2 = b[i2]! + b[i5]!;
  const s3 = b[i3]! + b[i4]!;
  const d0 = b[at]! - b[i7]!;
  const d1 = b[i1]! - b[i6]!;
  const d2 = b[i2]! - b[i5]!;
  const d3 = b[i3]! - b[i4]!;
  b[at] = K0 * (s0 + s1 + s2 + s3);
  b[i2] = K2 * (s0 - s3) + K6 * (s1 - s2);
  b[i4] = K4 * (s0 - s1 - s2 + s3);
  b[i6] = K6 * (s0 - s3) - K2 * (s1 - s2);
  b[i1] = K1 * d0 + K3 * d1 + K5 * d2 + K7 * d3;
  b[i3] = K3 * d0 - K7 * d1 - K1 * d2 - K5 * d3;
  b[i5] = K5 * d0 - K1 * d1 + K7 * d2 + K3 * d3;
  b[i7] = K7 * d0 - K5 * d1 + K3 * d2 - K1 * d3;
}

/** The inverse, which for an orthonormal transform is the transpose. */
function restoreLine(b: Float32Array, at: number, stride: number): void {
  const i1 = at + stride;
  const i2 = at + 2 * stride;
  const i3 = at + 3 * stride;
  const i4 = at + 4 * stride;
  const i5 = at + 5 * stride;
  const i6 = at + 6 * stride;
  const i7 = at + 7 * stride;
  const x1 = b[i1]!;
  const x3 = b[i3]!;
  const x5 = b[i5]!;
  const x7 = b[i7]!;
  const low = K0 * b[at]! + K4 * b[i4]!;
  const high = K0 * b[at]! - K4 * b[i4]!;
  const wide = K2 * b[i2]! + K6 * b[i6]!;
  const narrow = K6 * b[i2]! - K2 * b[i6]!;
  const e0 = low + wide;
  const e1 = high + narrow;
  const e2 = high - narrow;
  const e3 = low - wide;
  const o0 = K1 * x1 + K3 * x3 + K5 * x5 + K7 * x7;
  const o1 = K3 * x1 - K7 * x3 - K1 * x5 - K5 * x7;
  const o2 = K5 * x1 - K1 * x3 + K7 * x5 + K3 * x7;
  const o3 = K7 * x1 - K5 * x3 + K3 * x5 - K1 * x7;
  b[at] = e0 + o0;
  b[i7] = e0 - o0;
  b[i1] = e1 + o1;
  b[i6] = e1 - o1;
  b[i2] = e2 + o2;
  b[i5] = e2 - o2;
  b[i3] = e3 + o3;
  b[i4] = e3 - o3;
}
