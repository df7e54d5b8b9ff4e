/**
 * Pixels → the rows that the vision tower reads. Source: `_preprocess` of transformers' Qwen2-VL image
 * processor: rescale, normalise, duplicate a still picture to two frames, cut into patches, and order the
 * patches so that those of one merged token are neighbours.
 */
import { UserError } from '../../base/errors.ts';
import type { ProcessorConfig } from '../../model/config.ts';
import { patchCoordinates, type PatchGrid } from '../../model/positions.ts';

export interface Patches {
  /** [patches, channels × frames × side × side]: 1176 numbers per row for 3 × 2 × 14 × 14. */
  pixelValues: Float32Array;
  grid: PatchGrid;
}

const CHANNELS = 3;

/**
 * @param rgb pixels [height, width, 3]; both sides multiples of patch size × merge size
 * @throws UserError if they are not
 */
export function toPatches(rgb: Uint8Array, width: number, height: number, config: ProcessorConfig): Patches {
  const { patchSize: side, mergeSize, temporalPatchSize: frames } = config;
  const grid = { height: height / side, width: width / side };
  checkGrid(grid, mergeSize, width, height);
  const levels = normalised(config);
  const pixelValues = new Float32Array(grid.height * grid.width * CHANNELS * frames * side * side);
  let to = 0;
  for (const { row, column } of patchCoordinates(grid, mergeSize)) {
    for (let channel = 0; channel < CHANNELS; channel++) {
      const plane = copyPatch(
        pixelValues,
        to,
        rgb,
        (row * width + column) * side,
        width,
        side,
        channel,
        levels[channel]!,
      );
      for (let frame = 1; frame < frames; frame++) pixelValues.copyWithin(to + frame * plane, to, to + plane);
      to += frames * plane;
    }
  }
  return { pixelValues, grid };
}

/** Writes one channel of one patch, [side, side], and returns how many numbers that was. */
function copyPatch(
  target: Float32Array,
  to: number,
  rgb: Uint8Array,
  firstPixel: number,
  width: number,
  side: number,
  channel: number,
  levels: Float32Array,
): number {
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      target[to + y * side + x] = levels[rgb[(firstPixel + y * width + x) * CHANNELS + channel]!]!;
    }
  }
  return side * side;
}

/** (level × rescale - mean) / std per channel for the 256 levels, rounded to float32 where the reference does. */
function normalised({ mean, std, rescaleFactor }: ProcessorConfig): Float32Array[] {
  const { fround } = Math;
  return mean.map((channelMean, channel) =>
    Float32Array.from({ length: 256 }, (_, level) => {
      const centred = fround(fround(level * rescaleFactor) - fround(channelMean));
      return centred / fround(std[channel]!);
    }),
  );
}

function checkGrid(grid: PatchGrid, mergeSize: number, width: number, height: number): void {
  if (Number.isInteger(grid.height / mergeSize) && Number.isInteger(grid.width / mergeSize)) return;
  throw new UserError({
    problem: 'the picture cannot be cut into patches',
    expected: 'sides that are multiples of patch size × merge size',
    found: `${width} × ${height} pixels`,
  });
}
