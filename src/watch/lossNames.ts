/** What a loss is called for people: the page shows it, so no schema comes with it. */

/** A loss that we do not know keeps its key. */
export function lossName(key: string): string {
  return KNOWN[key] ?? key;
}

const KNOWN: Record<string, string> = {
  ce: 'cross-entropy',
  text: 'cross-entropy',
  alignment: 'misalignment',
};
