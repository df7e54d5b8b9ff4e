/** Pictures in memory, and what happens to a drawing on its way: enlargement, light, blur, compression. */

import { encode } from 'fast-png';

/** RGB, 8 bits, (height, width, 3). */
export interface Picture {
  width: number;
  height: number;
  rgb: Uint8Array;
}

/** The picture as a PNG file; the same bytes for the same pixels. */
export function toPng({ width, height, rgb }: Picture): Uint8Array {
  return encode({ width, height, data: rgb, channels: 3 });
}

/** Takes the nearest pixel, as pixel art is enlarged. */
export function enlarge({ width, height, rgb }: Picture, newWidth: number, newHeight: number): Picture {
  const result = new Uint8Array(newWidth * newHeight * 3);
  const columns = Array.from({ length: newWidth }, (_, x) => Math.floor(((x + 0.5) * width) / newWidth) * 3);
  for (let y = 0, to = 0; y < newHeight; y++) {
    const from = Math.floor(((y + 0.5) * height) / newHeight) * width * 3;
    for (let x = 0; x < newWidth; x++, to += 3) {
      const at = from + columns[x]!;
      result[to] = rgb[at]!;
      result[to + 1] = rgb[at + 1]!;
      result[to + 2] = rgb[at + 2]!;
    }
  }
  return { width: newWidth, height: newHeight, rgb: result };
}

/** Brightness that changes evenly across the picture: by `across` from left to right, by `down` from top to bottom. */
export function light({ width, height, rgb }: Picture, across: number, down: number): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const factor = 1 + across * (x / width - 0.5) + down * (y / height - 0.5);
      const at = (y * width + x) * 3;
      for (let c = 0; c < 3; c++) rgb[at + c] = Math.min(255, rgb[at + c]! * factor);
    }
  }
}

/**
 * Gaussian blur with five taps a direction; beyond the edge the last pixel repeats.
 * @param sigma in pixels, up to about 1: five taps hold no more
 */
export function blur({ width, height, rgb }: Picture, sigma: number): void {
  const [near, far] = [Math.exp(-1 / (2 * sigma * sigma)), Math.exp(-4 / (2 * sigma * sigma))];
  const sum = 1 + 2 * near + 2 * far;
  const taps: Taps = [1 / sum, near / sum, far / sum];
  const stride = width * 3;
  const line = new Float32Array(Math.max(stride, height * 3) + 12);
  for (let y = 0; y < height; y++) blurLine(rgb, line, y * stride, 3, width, taps);
  for (let x = 0; x < width; x++) blurLine(rgb, line, x * 3, stride, height, taps);
}

/** Weights of a pixel, its neighbours and theirs. */
type Taps = readonly [centre: number, near: number, far: number];

/** Blurs `count` pixels that lie `stride` bytes apart. @param line scratch, (count + 4) × 3 */
function blurLine(
  rgb: Uint8Array,
  line: Float32Array,
  from: number,
  stride: number,
  count: number,
  [centre, near, far]: Taps,
): void {
  for (let i = -2; i < count + 2; i++) {
    const at = from + Math.min(count - 1, Math.max(0, i)) * stride;
    const to = (i + 2) * 3;
    line[to] = rgb[at]!;
    line[to + 1] = rgb[at + 1]!;
    line[to + 2] = rgb[at + 2]!;
  }
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) {
      const at = i * 3 + c;
      const beside = line[at + 3]! + line[at + 9]!;
      const beyond = line[at]! + line[at + 12]!;
      rgb[from + i * stride + c] = 0.5 + centre * line[at + 6]! + near * beside + far * beyond;
    }
  }
}
