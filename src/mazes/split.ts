/**
 * Which maps are for training and which are held out.
 *
 * A map's side is decided by its size, holes and goal together, and not by its start: a map that differs
 * from a trained one only in where the player stands asks nearly the same question.
 */

import { HOLE, type GridMap } from '../dataset/scoring.ts';
import { hashOf } from '../base/random.ts';
import { goalOf, positionsOf } from './grid.ts';

export const SPLITS = ['train', 'held-out'] as const;
export type Split = (typeof SPLITS)[number];

/** One triple in ten. */
const HELD_OUT_SHARE = 0.1;

/** Size, holes and goal as text: maps with the same key are on the same side. */
export function splitKey(map: GridMap): string {
  return [map.length, positionsOf(map, HOLE).join(' '), goalOf(map).join()].join('|');
}

/** The side of a map; the same for every seed, and not to be changed without training again. */
export function splitOf(map: GridMap): Split {
  return hashOf('split', splitKey(map)) < HELD_OUT_SHARE * 2 ** 32 ? 'held-out' : 'train';
}
