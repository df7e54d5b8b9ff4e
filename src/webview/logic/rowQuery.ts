/** Which rows of a samples file are shown, in which order. */

import { FED } from '../../evaluation/fed.ts';
import { COLUMNS, OUTCOMES, TEST_FILTERS, type Column, type RowQuery } from '../../protocol/evaluation.ts';

export const FIRST_QUERY: RowQuery = { fed: 'own', outcome: 'all', text: '', sort: 'line', down: false };

/** Reads a stored query; anything that is not of the expected kind falls back to the default. */
export function restoreQuery(stored: unknown): RowQuery {
  if (typeof stored !== 'object' || stored === null) return FIRST_QUERY;
  const { fed, outcome, tests, size, text, sort, down } = stored as Partial<Record<keyof RowQuery, unknown>>;
  const filter = TEST_FILTERS.find((known) => known === tests);
  return {
    fed: FED.find((known) => known === fed) ?? FIRST_QUERY.fed,
    outcome:
      ([...OUTCOMES, 'all', 'differs'] as const).find((known) => known === outcome) ?? FIRST_QUERY.outcome,
    text: typeof text === 'string' ? text : '',
    sort: COLUMNS.find((known) => known === sort) ?? FIRST_QUERY.sort,
    down: down === true,
    ...(typeof size === 'number' && { size }),
    ...(filter && { tests: filter }),
  };
}

/** The query after a click on a column's head: ascending, then descending, then as in the file. */
export function sortedBy(query: RowQuery, column: Column): RowQuery {
  if (query.sort !== column) return { ...query, sort: column, down: false };
  return query.down ? { ...query, sort: 'line', down: false } : { ...query, down: true };
}
