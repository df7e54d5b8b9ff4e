/** Geometry of a picture's patches: merged tokens on a grid, and the source pixels each one covers. */

import type { MapGrid } from '../../heatmap/grid.ts';
import type { TracePicture } from '../../trace/schema.ts';

/** A rectangle of patches, bounds included. */
export interface Region {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/** The patch `rows` down and `columns` right of `patch`, kept on the grid; the middle when there is none. */
export function movePatch(patch: number | undefined, rows: number, columns: number, grid: MapGrid): number {
  if (patch === undefined) return Math.floor(grid.rows / 2) * grid.columns + Math.floor(grid.columns / 2);
  const row = clamp(Math.floor(patch / grid.columns) + rows, grid.rows);
  const column = clamp((patch % grid.columns) + columns, grid.columns);
  return row * grid.columns + column;
}

/** The patch at a point of the picture; x and y are fractions of its width and height. */
export function patchAt(x: number, y: number, grid: MapGrid): number | undefined {
  if (x < 0 || y < 0 || x >= 1 || y >= 1) return undefined;
  return Math.floor(y * grid.rows) * grid.columns + Math.floor(x * grid.columns);
}

/** The rectangle that two patches span. */
export function regionOf(a: number, b: number, { columns }: MapGrid): Region {
  const [rowA, rowB] = [Math.floor(a / columns), Math.floor(b / columns)];
  const [columnA, columnB] = [a % columns, b % columns];
  return {
    top: Math.min(rowA, rowB),
    left: Math.min(columnA, columnB),
    bottom: Math.max(rowA, rowB),
    right: Math.max(columnA, columnB),
  };
}

/** Patches of a region, row by row; those outside the grid are left out. */
export function patchesOf({ top, left, bottom, right }: Region, { rows, columns }: MapGrid): number[] {
  const patches: number[] = [];
  for (let row = top; row <= Math.min(bottom, rows - 1); row++) {
    for (let column = left; column <= Math.min(right, columns - 1); column++)
      patches.push(row * columns + column);
  }
  return patches;
}

/**
 * Pixels of the source picture that a patch covers, bounds included. The model saw a resized picture, so a
 * boundary may fall inside a source pixel; that pixel then belongs to both patches.
 */
export function pixelsOf(patch: number, picture: TracePicture): { x: [number, number]; y: [number, number] } {
  const { tokenSize, resized, width, height, grid } = picture;
  const across = (index: number, source: number, seen: number): [number, number] => {
    const scale = source / seen;
    const first = Math.floor(index * tokenSize * scale + 1e-6);
    const last = Math.ceil((index + 1) * tokenSize * scale - 1e-6) - 1;
    return [first, Math.min(last, source - 1)];
  };
  return {
    x: across(patch % grid.columns, width, resized.width),
    y: across(Math.floor(patch / grid.columns), height, resized.height),
  };
}

function clamp(index: number, count: number): number {
  return Math.min(count - 1, Math.max(0, index));
}
