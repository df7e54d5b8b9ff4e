/** Pictures changed on purpose, to see what depends on them. The size stays. */

import sharp, { type Sharp } from 'sharp';
import type { Size } from '../../model/memory.ts';
import type { DecodedImage } from './decodeImage.ts';

/** Of the longer side: what is smaller than a tenth is gone. */
const BLUR = 1 / 20;

/** Gaussian blur whose σ is a twentieth of the longer side. */
export async function blurred(image: DecodedImage): Promise<DecodedImage> {
  const sigma = Math.max(1, BLUR * Math.max(image.width, image.height));
  return withPixels(image, await raw(image).blur(sigma).raw().toBuffer());
}

/** Without colours: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). */
export function grey(image: DecodedImage): DecodedImage {
  const rgb = new Uint8Array(image.rgb.length);
  for (let i = 0; i < rgb.length; i += 3) {
    const [r, g, b] = [image.rgb[i]!, image.rgb[i + 1]!, image.rgb[i + 2]!];
    rgb.fill(Math.round(0.299 * r + 0.587 * g + 0.114 * b), i, i + 3);
  }
  return withPixels(image, rgb);
}

/** Left is right. */
export function mirrored(image: DecodedImage): DecodedImage {
  const { width, height, rgb } = image;
  const result = new Uint8Array(rgb.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [from, to] = [3 * (y * width + width - 1 - x), 3 * (y * width + x)];
      result.set(rgb.subarray(from, from + 3), to);
    }
  }
  return withPixels(image, result);
}

/** A rectangle in shares of the sides, `bottom` and `right` excluded, filled with the picture's mean colour. */
export function masked(
  image: DecodedImage,
  { top, left, bottom, right }: { top: number; left: number; bottom: number; right: number },
): DecodedImage {
  const { width, height, rgb } = image;
  const mean = meanColour(rgb);
  const result = rgb.slice();
  for (let y = Math.floor(top * height); y < Math.min(height, Math.ceil(bottom * height)); y++) {
    for (let x = Math.floor(left * width); x < Math.min(width, Math.ceil(right * width)); x++)
      result.set(mean, 3 * (y * width + x));
  }
  return withPixels(image, result);
}

/** Another picture, stretched to the same size. */
export async function replaced(image: DecodedImage, other: DecodedImage): Promise<DecodedImage> {
  const { width, height } = image;
  return withPixels(image, await raw(other).resize(width, height, { fit: 'fill' }).raw().toBuffer());
}

function raw({ rgb, width, height }: Size & { rgb: Uint8Array }): Sharp {
  return sharp(rgb, { raw: { width, height, channels: 3 } });
}

function withPixels(image: DecodedImage, rgb: Uint8Array): DecodedImage {
  return { ...image, rgb: new Uint8Array(rgb) };
}

function meanColour(rgb: Uint8Array): number[] {
  const sums = [0, 0, 0];
  rgb.forEach((value, i) => (sums[i % 3]! += value));
  return sums.map((sum) => Math.round((3 * sum) / rgb.length));
}
