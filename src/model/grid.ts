/** Pictures as grids of patches, and the axes of positions. */

/** Size of a picture in patches. A still picture has one temporal patch. */
export interface PatchGrid {
  height: number;
  width: number;
}

/** Row and column of every patch, in the processor's order: merged token by merged token. */
export function patchCoordinates(grid: PatchGrid, mergeSize: number): { row: number; column: number }[] {
  const coordinates: { row: number; column: number }[] = [];
  for (let row = 0; row < grid.height; row += mergeSize) {
    for (let column = 0; column < grid.width; column += mergeSize) {
      for (let y = 0; y < mergeSize; y++) {
        for (let x = 0; x < mergeSize; x++) coordinates.push({ row: row + y, column: column + x });
      }
    }
  }
  return coordinates;
}

/** Temporal, height, width. */
export type Axis = 0 | 1 | 2;
