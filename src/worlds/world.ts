/**
 * Worlds: a player, crates, walls, holes and doors on a square grid, and what a move does to them.
 *
 * Cells are numbered row by row from 0. A state is a value: a move gives another one.
 */
export const MOVES = ['up', 'down', 'left', 'right'] as const;
export type Move = (typeof MOVES)[number];

/**
 * What moves are like:
 * - crates: a crate that is pushed goes one cell on
 * - ice: it slides until something stops it
 * - doors: as crates, and a door opens or closes each time something comes onto the switch
 * - swaps: the player changes places with a crate, so that a walk is a product of exchanges, whose order matters
 */
export const DYNAMICS = ['crates', 'ice', 'doors', 'swaps'] as const;
export type Dynamics = (typeof DYNAMICS)[number];

/** What moves leave as it is. */
export interface Layout {
  dynamics: Dynamics;
  /** Cells a side. */
  size: number;
  walls: readonly number[];
  /** Both or neither. */
  door?: number;
  switch?: number;
}

export interface State {
  player: number;
  /** In rising order. */
  crates: readonly number[];
  /** Those that no crate has filled, in rising order. */
  holes: readonly number[];
  /** Whether the door is; false without one. */
  open: boolean;
}

export interface World {
  layout: Layout;
  state: State;
}

const STEPS: Record<Move, readonly [down: number, right: number]> = {
  up: [-1, 0],
  down: [1, 0],
  left: [0, -1],
  right: [0, 1],
};

/**
 * The state after a move. A move off the grid, into a wall, a closed door or a hole, or against a crate that cannot
 * give way does nothing. A crate that comes into a hole fills it: both are gone.
 */
export function moved(layout: Layout, state: State, move: Move): State {
  const to = beside(layout.size, state.player, move);
  if (to === undefined || !isOpen(layout, state, to) || state.holes.includes(to)) return state;
  if (!state.crates.includes(to)) return pressed(layout, { ...state, player: to }, to);
  if (layout.dynamics === 'swaps') return swapped(state, to);
  const pushed = pushedCrate(layout, state, to, move);
  return pushed === undefined ? state : pressed(layout, { ...pushed, player: to }, to);
}

/** The state after each move. */
export function statesAfter({ layout, state }: World, moves: readonly Move[]): State[] {
  let now = state;
  return moves.map((move) => (now = moved(layout, now, move)));
}

/** The state after the player and the crate of a cell have changed places. */
function swapped(state: State, cell: number): State {
  const crates = state.crates.map((crate) => (crate === cell ? state.player : crate));
  return { ...state, player: cell, crates: crates.toSorted((a, b) => a - b) };
}

/** The cell beside a cell; undefined off the grid. */
export function beside(size: number, cell: number, move: Move): number | undefined {
  const [down, right] = STEPS[move];
  const [row, column] = [Math.floor(cell / size) + down, (cell % size) + right];
  return row < 0 || column < 0 || row >= size || column >= size ? undefined : row * size + column;
}

/** Whether neither wall nor closed door stands there. */
function isOpen({ walls, door }: Layout, { open }: State, cell: number): boolean {
  return !walls.includes(cell) && (cell !== door || open);
}

/** The state after a crate was pushed away from `from`; undefined if it cannot give way. */
function pushedCrate(layout: Layout, state: State, from: number, move: Move): State | undefined {
  const others = state.crates.filter((crate) => crate !== from);
  let at = from;
  let now: State = { ...state, crates: others };
  for (;;) {
    const next = beside(layout.size, at, move);
    if (next === undefined || !isOpen(layout, now, next) || others.includes(next)) break;
    at = next;
    if (now.holes.includes(at)) return { ...now, holes: now.holes.filter((hole) => hole !== at) };
    now = pressed(layout, now, at);
    if (layout.dynamics !== 'ice') break;
  }
  return at === from ? undefined : { ...now, crates: [...others, at].toSorted((a, b) => a - b) };
}

/** After something came onto a cell. */
function pressed({ switch: plate }: Layout, state: State, cell: number): State {
  return cell === plate ? { ...state, open: !state.open } : state;
}

/** What is seen in a cell, the topmost thing first. */
export const CONTENTS = [
  'ground',
  'wall',
  'hole',
  'crate',
  'player',
  'switch',
  'closed door',
  'open door',
] as const;
export type Content = (typeof CONTENTS)[number];

/** The topmost thing of each cell. */
export function contentsOf({ size, walls, door, switch: plate }: Layout, state: State): Content[] {
  const contents = new Array<Content>(size * size).fill('ground');
  const put = (cells: readonly number[], content: Content): void =>
    cells.forEach((cell) => (contents[cell] = content));
  put(walls, 'wall');
  put(state.holes, 'hole');
  if (plate !== undefined) put([plate], 'switch');
  if (door !== undefined) put([door], state.open ? 'open door' : 'closed door');
  put(state.crates, 'crate');
  put([state.player], 'player');
  return contents;
}

/** Cells that look otherwise in the second state. */
export function changedCells(layout: Layout, before: State, after: State): number[] {
  const [was, is] = [contentsOf(layout, before), contentsOf(layout, after)];
  return [...was.keys()].filter((cell) => was[cell] !== is[cell]);
}
