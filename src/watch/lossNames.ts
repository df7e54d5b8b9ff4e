/** What a loss is called for people: the page shows it, so no schema comes with it. */

import { message, translated, type Message } from '../base/l10n.ts';

/** A loss that we do not know keeps its key. */
export function lossName(key: string): string {
  const known = KNOWN[key];
  return known === undefined ? key : translated(known);
}

const KNOWN: Record<string, Message> = {
  ce: message('cross-entropy'),
  text: message('cross-entropy'),
  alignment: message('misalignment'),
  perception: message('perception'),
  'wrong.cell': message('cells told wrong'),
  'wrong.corners': message('corners told wrong'),
  'wrong.row': message('rows told wrong'),
  'wrong.column': message('columns told wrong'),
  'wrong.distance': message('distances told wrong'),
  'wrong.moves': message('moves told wrong'),
};
