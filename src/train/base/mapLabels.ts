/** What a map's picture is asked: what lies in its cells, where they are, how far the goal is and which moves lead there. */

import { GOAL, HOLE, SAFE, START, type GridMap } from '../../dataset/scoring.ts';
import { distancesToGoal, MAX_SIZE, movesForward, MOVES } from '../../mazes/grid.ts';
import type { PatchGrid } from '../../model/positions.ts';
import { cellLabels, cellProperties, type PerceptionLabels, type Properties } from './perception.ts';

/** Distances from this one on are one class; the class after it is for cells that no way leads from. */
const FAR = 12;

export const MAP_PROPERTIES = {
  ...cellProperties(4, MAX_SIZE),
  distance: { classes: FAR + 2, weight: 0.5 },
  moves: { classes: 1 << MOVES.length, weight: 1 },
} satisfies Properties;

const CELL_CLASSES = { [SAFE]: 0, [HOLE]: 1, [START]: 2, [GOAL]: 3 } as const;

export function mapLabels(
  map: GridMap,
  grid: PatchGrid,
  mergeSize: number,
): PerceptionLabels & Record<keyof typeof MAP_PROPERTIES, number[]> {
  const size = { rows: map.length, columns: map[0]!.length };
  const labels = cellLabels(size, (row, column) => CELL_CLASSES[map[row]![column]!], grid, mergeSize);
  const distances = distancesToGoal(map);
  const cells = labels.row.map((row, i) => [row, labels.column[i]!] as const);
  return {
    ...labels,
    distance: cells.map(([row, column]) => {
      const distance = distances[row]![column]!;
      return distance === Infinity ? FAR + 1 : Math.min(distance, FAR);
    }),
    moves: cells.map(([row, column]) => {
      const moves = distances[row]![column] === Infinity ? [] : movesForward(map, distances, [row, column]);
      return MOVES.reduce((bits, move, i) => (moves.includes(move) ? bits | (1 << i) : bits), 0);
    }),
  };
}
