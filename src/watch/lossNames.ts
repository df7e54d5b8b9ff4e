/** What a loss is called for people: the page shows it, so no schema comes with it. */

/** A loss that we do not know keeps its key. */
export function lossName(key: string): string {
  return KNOWN[key] ?? key;
}

const KNOWN: Record<string, string> = {
  ce: 'cross-entropy',
  text: 'cross-entropy',
  alignment: 'misalignment',
  perception: 'perception',
  'wrong.cell': 'cells told wrong',
  'wrong.corners': 'corners told wrong',
  'wrong.row': 'rows told wrong',
  'wrong.column': 'columns told wrong',
  'wrong.distance': 'distances told wrong',
  'wrong.moves': 'moves told wrong',
};
