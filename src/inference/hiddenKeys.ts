/** Parts of a picture that a run does not see from some point on: masked in attention, in every layer and head. */

import type { Visibility } from './kvCache.ts';

/** Keys, as indices in the sequence, that no query from a position on attends to. */
export interface HiddenKeys {
  from: number;
  keys: ReadonlySet<number>;
}

export const isNotLater: Visibility = (query, key) => key <= query;

/** What is left to see. */
export function without(sees: Visibility, hidden: readonly HiddenKeys[]): Visibility {
  if (hidden.length === 0) return sees;
  return (query, key) => sees(query, key) && !hidden.some(({ from, keys }) => query >= from && keys.has(key));
}
