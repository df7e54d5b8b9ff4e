/** The grid that a map lies on: a picture's tokens, which readers know as patches. */

import { t } from '../base/l10n.ts';

export interface MapGrid {
  rows: number;
  columns: number;
}

/** Pixels [x0, x1) × [y0, y1). */
export interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Row and column of a patch, counted from 0. */
export function placeOf(patch: number, { columns }: MapGrid): { row: number; column: number } {
  return { row: Math.floor(patch / columns), column: patch % columns };
}

/** "row 3, column 2", counted from 1. */
export function placeText(patch: number, grid: MapGrid): string {
  const { row, column } = placeOf(patch, grid);
  return t('row {0}, column {1}', row + 1, column + 1);
}

/** Pixel of a grid line; each line is rounded once, so that cells neither overlap nor leave gaps. */
export function lineAt(index: number, count: number, pixels: number): number {
  return Math.round((index * pixels) / count);
}

/** Pixels of a patch on a drawing of the whole picture. */
export function patchBox(
  grid: MapGrid,
  patch: number,
  { width, height }: { width: number; height: number },
): Box {
  const { row, column } = placeOf(patch, grid);
  return {
    x0: lineAt(column, grid.columns, width),
    y0: lineAt(row, grid.rows, height),
    x1: lineAt(column + 1, grid.columns, width),
    y1: lineAt(row + 1, grid.rows, height),
  };
}
