/** Numbers as CSV (RFC 4180). */

export type Cell = string | number | undefined;

/** A cell that a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** What a chart or a map is made of. Heads are English in every language: programs read them. */
export interface NumberTable {
  heads: readonly string[];
  rows: readonly (readonly Cell[])[];
}

/** Numbers are written as they are, in full; a text that a spreadsheet would compute gets an apostrophe. */
export function csvOf({ heads, rows }: NumberTable): string {
  return [heads, ...rows].map((row) => `${row.map(cellOf).join(',')}\r\n`).join('');
}

function cellOf(cell: Cell): string {
  if (cell === undefined) return '';
  if (typeof cell === 'number') return Number.isNaN(cell) ? '' : String(cell);
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
