/**
 * Maps: square grids with one start, one goal and holes, and the ways through them.
 *
 * A map is drawn as the public VSP set seems to be: start and goal at any two different cells, every other
 * cell a hole with probability 0.2, and again until the goal can be reached. The share of holes and the
 * lengths of shortest paths then agree with that set's (test/maps/grid.test.ts holds the table).
 */

import { GOAL, HOLE, SAFE, START, startOf, step, type GridMap, type Move } from '../dataset/scoring.ts';
import { pickWeighted, wholeBetween, type Random } from '../base/random.ts';

/** Side lengths, in cells, of the public suite's maps. */
export const MIN_SIZE = 3;
export const MAX_SIZE = 8;

export const MOVES: readonly Move[] = ['U', 'D', 'L', 'R'];

/** Row and column, both from 0. */
export type Position = readonly [row: number, column: number];

const HOLE_PROBABILITY = 0.2;

/** A map whose goal can be reached. */
export function drawGrid(random: Random, size: number): GridMap {
  for (;;) {
    const map = scatter(random, size);
    if (shortestLength(map) !== undefined) return map;
  }
}

function scatter(random: Random, size: number): GridMap {
  const cells = size * size;
  const start = wholeBetween(random, 0, cells - 1);
  const other = wholeBetween(random, 0, cells - 2);
  const goal = other < start ? other : other + 1;
  return Array.from({ length: size }, (_, row) =>
    Array.from({ length: size }, (__, column) => {
      const hole = random() < HOLE_PROBABILITY;
      if (row * size + column === start) return START;
      if (row * size + column === goal) return GOAL;
      return hole ? HOLE : SAFE;
    }),
  );
}

/** Cells of any kind, figures far more often than in a map: see Artist.drawGallery. */
export function drawGalleryGrid(random: Random, size: number): GridMap {
  const kinds = { [SAFE]: 3, [HOLE]: 2, [START]: 4, [GOAL]: 4 };
  return Array.from({ length: size }, () =>
    Array.from({ length: size }, () => Number(pickWeighted(random, kinds)) as GridMap[number][number]),
  );
}

/** Row and column of the first cell with this code, from 0; undefined if there is none. */
export function find(map: GridMap, code: number): Position | undefined {
  const row = map.findIndex((cells) => cells.some((cell) => cell === code));
  return row < 0 ? undefined : [row, map[row]!.findIndex((cell) => cell === code)];
}

/** @throws RangeError if the map has no goal */
export function goalOf(map: GridMap): Position {
  const goal = find(map, GOAL);
  if (goal === undefined) throw new RangeError('the map has no goal');
  return goal;
}

/** All positions whose cell has this code, row by row. */
export function positionsOf(map: GridMap, code: number): Position[] {
  return map.flatMap((cells, row) =>
    cells.flatMap((cell, column) => (cell === code ? [[row, column] as const] : [])),
  );
}

/** Moves to the nearest goal from each cell, without entering a hole: [row][column]; Infinity where there is no way. */
export function distancesToGoal(map: GridMap): number[][] {
  const distances = map.map((cells) => cells.map(() => Infinity));
  const queue = positionsOf(map, GOAL);
  for (const [row, column] of queue) distances[row]![column] = 0;
  // The queue grows while it is walked: breadth first.
  for (const [row, column] of queue) {
    for (const move of MOVES) {
      const [r, c] = step(map, row, column, move);
      if (map[r]![c] === HOLE || distances[r]![c] !== Infinity) continue;
      distances[r]![c] = distances[row]![column]! + 1;
      queue.push([r, c]);
    }
  }
  return distances;
}

/** Fewest moves from a cell to the goal; undefined if there is no way. */
export function shortestLength(map: GridMap, from: Position = startOf(map)): number | undefined {
  const distance = distancesToGoal(map)[from[0]]?.[from[1]] ?? Infinity;
  return distance === Infinity ? undefined : distance;
}

/** The moves that begin a shortest path. */
export function movesForward(map: GridMap, distances: number[][], [row, column]: Position): Move[] {
  return MOVES.filter((move) => {
    const [r, c] = step(map, row, column, move);
    return distances[r]![c]! < distances[row]![column]!;
  });
}

/**
 * One shortest path. Each move is chosen among those that begin one, so not all paths are equally likely.
 * @throws RangeError if there is no way
 */
export function drawShortestPath(random: Random, map: GridMap, from: Position = startOf(map)): Move[] {
  const distances = distancesToGoal(map);
  if (distances[from[0]]?.[from[1]] === Infinity) throw new RangeError('the goal cannot be reached');
  const path: Move[] = [];
  for (let at = from; distances[at[0]]![at[1]] !== 0;) {
    const moves = movesForward(map, distances, at);
    const move = moves[wholeBetween(random, 0, moves.length - 1)]!;
    path.push(move);
    at = step(map, ...at, move);
  }
  return path;
}

/** Where each move leads, the cell it starts from left out; the walk ends in the first hole it enters. */
export function walk(map: GridMap, from: Position, moves: readonly Move[]): Position[] {
  const positions: Position[] = [];
  let at = from;
  for (const move of moves) {
    at = step(map, ...at, move);
    positions.push(at);
    if (map[at[0]]![at[1]] === HOLE) break;
  }
  return positions;
}
