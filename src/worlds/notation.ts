/**
 * Worlds and moves in words. A state is written as roguelike games draw it, row by row with "/" between:
 *
 *     . ground   # wall   ~ hole   $ crate   @ player   ^ switch   + closed door   ' open door
 *
 * Only the topmost thing of a cell is written: a switch under a crate is not.
 */

import { UserError } from '../base/errors.ts';
import { contentsOf, MOVES, type Content, type Layout, type Move, type State } from './world.ts';

export const SIGNS: Record<Content, string> = {
  ground: '.',
  wall: '#',
  hole: '~',
  crate: '$',
  player: '@',
  switch: '^',
  'closed door': '+',
  'open door': "'",
};

/** The whole state. */
export function stateText(layout: Layout, state: State): string {
  const signs = contentsOf(layout, state).map((content) => SIGNS[content]);
  const { size } = layout;
  return Array.from({ length: size }, (_, row) => signs.slice(row * size, (row + 1) * size).join('')).join(
    '/',
  );
}

/** "(2,3)": row 2, column 3, counted from 1 at the top left. */
export function cellName(size: number, cell: number): string {
  return `(${Math.floor(cell / size) + 1},${(cell % size) + 1})`;
}

/** Of a walk. */
export const MAX_MOVES = 64;

/**
 * "up left left": moves in words, with spaces or commas between.
 * @throws UserError for a word that is no move, for none, or for too many
 */
export function parseMoves(text: string): Move[] {
  const words = text.split(/[\s,]+/, MAX_MOVES + 2).filter((word) => word !== '');
  if (words.length === 0 || words.length > MAX_MOVES)
    throw noMoves(words.length === 0 ? 'none' : `more than ${MAX_MOVES}`);
  return words.map((word) => {
    const move = MOVES.find((known) => known === word.toLowerCase());
    if (move === undefined) throw noMoves(JSON.stringify(word.slice(0, 40)));
    return move;
  });
}

function noMoves(found: string): UserError {
  return new UserError({
    problem: 'This text does not say moves that a world knows',
    expected: `1 to ${MAX_MOVES} words of ${MOVES.join(', ')}`,
    found,
  });
}
