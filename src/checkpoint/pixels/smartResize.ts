/** The size that a picture is resized to. Source: `smart_resize` of transformers' Qwen2-VL image processor. */
import { UserError } from '../../base/errors.ts';
import type { ProcessorConfig } from '../../model/config.ts';
import type { Size } from '../../model/memory.ts';
import type { PatchGrid } from '../../model/positions.ts';

/** The reference refuses pictures more than 200 times as long as wide. */
const MAX_ASPECT_RATIO = 200;

export interface ResizeLimits {
  minPixels: number;
  maxPixels: number;
  /** Both sides become multiples of this: patch size × merge size. */
  factor: number;
}

/**
 * Sides nearest to the source's that are multiples of `factor`, scaled as far as needed to bring the area
 * within the limits. All in pixels.
 * @throws UserError for a picture longer than 200 times its width or the other way round
 */
export function smartResize(
  height: number,
  width: number,
  { minPixels, maxPixels, factor }: ResizeLimits,
): { height: number; width: number } {
  const ratio = Math.max(height, width) / Math.min(height, width);
  if (ratio > MAX_ASPECT_RATIO) throw tooLong(height, width);
  const rounded = {
    height: roundHalfEven(height / factor) * factor,
    width: roundHalfEven(width / factor) * factor,
  };
  const area = rounded.height * rounded.width;
  if (area > maxPixels) {
    const beta = Math.sqrt((height * width) / maxPixels);
    const shrink = (side: number): number => Math.max(factor, Math.floor(side / beta / factor) * factor);
    return { height: shrink(height), width: shrink(width) };
  }
  if (area < minPixels) {
    const beta = Math.sqrt(minPixels / (height * width));
    const enlarge = (side: number): number => Math.ceil((side * beta) / factor) * factor;
    return { height: enlarge(height), width: enlarge(width) };
  }
  return rounded;
}

/** What a picture becomes: its size for the model in pixels, in patches, and in tokens. */
export function planPicture(
  { width, height }: Size,
  { minPixels, maxPixels, patchSize, mergeSize }: ProcessorConfig,
): { resized: Size; grid: PatchGrid; mergedTokens: number } {
  const resized = smartResize(height, width, { minPixels, maxPixels, factor: patchSize * mergeSize });
  const grid = { height: resized.height / patchSize, width: resized.width / patchSize };
  return { resized, grid, mergedTokens: (grid.height * grid.width) / mergeSize ** 2 };
}

/** Python's `round`: ties go to the even neighbour, so 70 / 28 = 2.5 gives 2. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

function tooLong(height: number, width: number): UserError {
  return new UserError({
    problem: 'the picture is too long and narrow for the model',
    expected: `sides in a ratio of at most ${MAX_ASPECT_RATIO} to 1`,
    found: `${width} × ${height} pixels`,
    remedy: 'Crop or pad the picture.',
  });
}
