/** Positions: rows and columns of patches, M-RoPE of the sequence. */

import { baseOf } from './bases/all.ts';
import type { TextConfig, VisionConfig } from './config.ts';
import { patchCoordinates, type PatchGrid } from './grid.ts';

export { patchCoordinates, type PatchGrid } from './grid.ts';

/** Added to the score of a key that must not be seen; finite, because GPUs need not honour infinities. */
export const MASKED = -1e30;

/** cos and sin, each (N, d / 2) */
export interface Rotation {
  cos: Float32Array;
  sin: Float32Array;
}

/** 2-D RoPE: the first half of the frequencies turns with the row, the second with the column. */
export function visionRotation(config: VisionConfig, grid: PatchGrid): Rotation {
  const half = config.hiddenSize / config.heads / 2;
  const quarter = half / 2;
  const frequencies = inverseFrequencies(quarter, config.ropeTheta);
  return rotation(patchCoordinates(grid, config.mergeSize), half, ({ row, column }, i) =>
    i < quarter ? row * frequencies[i]! : column * frequencies[i - quarter]!,
  );
}

/** The three position ids of one place in the sequence: temporal, height, width. */
export type Position = readonly [number, number, number];

/**
 * M-RoPE positions of a prompt. Text advances all axes together; a picture keeps its temporal id
 * and counts merged rows and columns; after it the next position is the largest so far plus 1.
 * @param ids token ids, every picture expanded to its merged tokens
 * @param grids size in patches of each picture, in order
 * @returns the positions, and the delta to add to an index to get the position of later tokens
 */
export function mropePositions(
  ids: readonly number[],
  imagePad: number,
  grids: readonly PatchGrid[],
  mergeSize: number,
): { positions: Position[]; delta: number } {
  const positions: Position[] = [];
  let next = 0;
  let picture = 0;
  for (let i = 0; i < ids.length;) {
    const grid = ids[i] === imagePad ? grids[picture] : undefined;
    if (grid === undefined) {
      positions.push([next, next, next]);
      next++;
      i++;
      continue;
    }
    picture++;
    const rows = grid.height / mergeSize;
    const columns = grid.width / mergeSize;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) positions.push([next, next + row, next + column]);
    }
    next += Math.max(rows, columns);
    i += rows * columns;
  }
  return { positions, delta: next - ids.length };
}

/** M-RoPE: each frequency turns with one axis; which, the base says. */
export function textRotation(config: TextConfig, positions: readonly Position[]): Rotation {
  const half = config.headSize / 2;
  const frequencies = inverseFrequencies(half, config.ropeTheta);
  const axes = baseOf(config).decoder.axes(config.mropeSection);
  return rotation(positions, half, (position, i) => position[axes[i]!] * frequencies[i]!);
}

/** θ^(-i / count), rounded to float32 where the reference rounds. */
function inverseFrequencies(count: number, theta: number): number[] {
  return Array.from({ length: count }, (_, i) =>
    Math.fround(1 / Math.fround(theta ** Math.fround(i / count))),
  );
}

function rotation<T>(
  places: readonly T[],
  half: number,
  angle: (place: T, index: number) => number,
): Rotation {
  const cos = new Float32Array(places.length * half);
  const sin = new Float32Array(places.length * half);
  places.forEach((place, n) => {
    for (let i = 0; i < half; i++) {
      const radians = Math.fround(angle(place, i));
      cos[n * half + i] = Math.cos(radians);
      sin[n * half + i] = Math.sin(radians);
    }
  });
  return { cos, sin };
}
