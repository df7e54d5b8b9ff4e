/** How many small maps stand in a row, and how large they are. */

/** In CSS pixels; smaller ones cannot be told apart, larger ones leave no room for the text. */
const MIN_SIDE = 28;
const MAX_SIDE = 88;
/** Between small maps, as in steps.css. */
export const GAP = 4;
/** More in one row would be a strip of stamps. */
const MAX_COLUMNS = 12;

/** Rows of equal length, as few as fit. */
export function columnsFor(count: number, width: number): { columns: number; side: number } {
  const fitting = Math.max(1, Math.min(MAX_COLUMNS, Math.floor((width + GAP) / (MIN_SIDE + GAP))));
  const rows = Math.max(1, Math.ceil(count / fitting));
  const columns = Math.max(1, Math.ceil(count / rows));
  const side = Math.floor((width + GAP) / columns) - GAP;
  return { columns, side: Math.min(MAX_SIDE, Math.max(MIN_SIDE, side)) };
}

/** Below a small map: the bar of its mass and the meter of the brush, with their gaps. */
const BARS = 8;

/** Height of a small map's canvas; a strip of a picture stays a strip within bounds. */
export function mapHeight(width: number, picture: { width: number; height: number } | undefined): number {
  const ratio = picture === undefined ? 1 : picture.height / picture.width;
  return Math.min(2 * width, Math.max(6, Math.round(width * ratio)));
}

/** Height of a small map with its bars. */
export function thumbnailHeight(width: number, picture: Parameters<typeof mapHeight>[1]): number {
  return mapHeight(width, picture) + BARS;
}
