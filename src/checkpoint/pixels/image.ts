/** From a picture file to everything that the model and the viewer need of it. */
import type { ProcessorConfig } from '../../model/config.ts';
import type { Size } from '../../model/memory.ts';
import type { PatchGrid } from '../../model/positions.ts';
import { decodeImage, encodePng } from './decodeImage.ts';
import type { DecodedImage } from './decodeImage.ts';
import { toPatches } from './patches.ts';
import { resizeBicubic } from './resize.ts';
import { planPicture } from './smartResize.ts';

/** Longest side of the picture for display; the panel never shows more. */
const MAX_DISPLAY_SIDE = 2048;

export interface ProcessedImage {
  /** Upright size of the file's picture in pixels. */
  source: Size;
  /** EXIF orientation that was undone, 1 to 8. */
  exifOrientation: number;
  format: string;
  /** Size that the model sees, in pixels. */
  resized: Size;
  /** [resized.height, resized.width, 3] */
  rgb: Uint8Array;
  grid: PatchGrid;
  /** [patches, channels × frames × side × side] */
  pixelValues: Float32Array;
  /** Picture tokens in the prompt: patches / mergeSize². */
  mergedTokens: number;
  /** The upright picture as PNG, at most 2048 pixels a side. */
  displayPng: Uint8Array;
}

/**
 * Decodes, resizes and cuts a picture as the checkpoint's processor says.
 * @param name for messages
 * @throws UserError if the bytes are no picture that can be used
 */
export async function processImage(
  bytes: Uint8Array,
  name: string,
  config: ProcessorConfig,
): Promise<ProcessedImage> {
  const decoded = await decodeImage(bytes, name);
  return { ...prepareImage(decoded, config), displayPng: await encodePng(decoded, MAX_DISPLAY_SIDE) };
}

/** The part after decoding, for pixels that are at hand already. */
export function prepareImage(
  image: DecodedImage,
  config: ProcessorConfig,
): Omit<ProcessedImage, 'displayPng'> {
  const { width, height, exifOrientation, format } = image;
  const { resized, mergedTokens } = planPicture({ width, height }, config);
  const rgb = resizeBicubic(image.rgb, width, height, resized.width, resized.height);
  const { pixelValues, grid } = toPatches(rgb, resized.width, resized.height, config);
  return {
    source: { width, height },
    exifOrientation,
    format,
    resized,
    rgb,
    grid,
    pixelValues,
    mergedTokens,
  };
}
