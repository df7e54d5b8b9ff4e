/** How many small maps stand in a row, and how large they are. */

/** In CSS pixels; smaller ones cannot be told apart, larger ones leave no room for the text. */
const MIN_SIDE = 28;
const MAX_SIDE = 88;
const GAP = 4;
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
