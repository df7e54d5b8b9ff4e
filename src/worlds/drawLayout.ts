/** Worlds and moves by chance. */

import { pick, wholeBetween, type Random } from '../base/random.ts';
import {
  beside,
  changedCells,
  moved,
  MOVES,
  statesAfter,
  type Dynamics,
  type Move,
  type World,
} from './world.ts';

/**
 * A world of these dynamics: a crate less than cells a side (of doors, one less again; of swaps in a third to half of all
 * cells), up to a wall less than that, a hole in some, everything in cells of its own.
 */
export function drawWorld(random: Random, dynamics: Dynamics, size: number): World {
  const cells = Array.from({ length: size * size }, (_, cell) => cell);
  const take = (count: number): number[] =>
    Array.from(
      { length: count },
      () => cells.splice(wholeBetween(random, 0, cells.length - 1), 1)[0]!,
    ).toSorted((a, b) => a - b);
  const doors = dynamics === 'doors';
  const [player] = take(1);
  const crates = take(cratesOf(random, dynamics, size));
  const walls = take(wholeBetween(random, 0, size - 2));
  const holes = doors || dynamics === 'swaps' ? [] : take(wholeBetween(random, 0, size - 3));
  const [door, plate] = doors ? take(2) : [];
  return {
    layout: {
      dynamics,
      size,
      walls,
      ...(door !== undefined && plate !== undefined && { door, switch: plate }),
    },
    state: { player: player!, crates, holes, open: doors && random() < 0.5 },
  };
}

function cratesOf(random: Random, dynamics: Dynamics, size: number): number {
  if (dynamics === 'swaps') return wholeBetween(random, Math.floor(size ** 2 / 3), Math.floor(size ** 2 / 2));
  return Math.max(1, size - (dynamics === 'doors' ? 2 : 1));
}

/** From so many moves on, those that lead back to the start are drawn once more: it would be a guess too good. */
const RETURNING = 3;

/**
 * Moves by chance. A good third does nothing: were all to do something, they could be counted without being followed.
 * @param against the share of moves that go against a crate, where one is beside the player, whatever chance says
 */
export function drawMoves(random: Random, world: World, count: number, against = 0): Move[] {
  const moves = walk(random, world, count, against);
  const end = statesAfter(world, moves).at(-1) ?? world.state;
  const returned = changedCells(world.layout, world.state, end).length === 0;
  return returned && count >= RETURNING ? walk(random, world, count, against) : moves;
}

function walk(random: Random, { layout, state }: World, count: number, against: number): Move[] {
  let now = state;
  return Array.from({ length: count }, () => {
    const crates =
      against > 0 && random() < against ? movesAgainstCrates(random, { layout, state: now }) : [];
    const move = pick(random, crates.length > 0 ? crates : MOVES);
    now = moved(layout, now, move);
    return move;
  });
}

/** Half of the time against one that cannot give way, where there is one: that is rarer still. */
function movesAgainstCrates(random: Random, { layout, state }: World): Move[] {
  const { player, crates } = state;
  const all = MOVES.filter((move) => crates.some((crate) => crate === beside(layout.size, player, move)));
  const stuck = all.filter((move) => moved(layout, state, move) === state);
  return stuck.length > 0 && random() < 0.5 ? stuck : all;
}

/** Tries for moves that leave the door as wanted. */
const DOOR_TRIES = 60;

/** Moves after which the door is open as often as closed, as far as tries go. */
export function drawMovesToDoor(random: Random, world: World, count: number, against = 0): Move[] {
  const wanted = random() < 0.5;
  let moves: Move[] = [];
  for (let i = 0; i < DOOR_TRIES; i++) {
    moves = drawMoves(random, world, count, against);
    if ((statesAfter(world, moves).at(-1) ?? world.state).open === wanted) break;
  }
  return moves;
}
