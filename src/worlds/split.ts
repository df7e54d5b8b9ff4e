/**
 * Which worlds are for training and which are held out.
 *
 * The side is decided by all that stands in a world but its player: one that differs from a trained one only in where
 * the player stands asks nearly the same question. It is that of the world in which a walk begins; moves may lead through
 * layouts of the other side.
 */

import { hashOf } from '../base/random.ts';
import type { Split } from '../mazes/split.ts';
import type { World } from './world.ts';

/** One layout in ten. */
const HELD_OUT_SHARE = 0.1;

/** Worlds with the same key are on the same side. */
export function splitKey({ layout, state }: World): string {
  const { size, walls, door, switch: plate } = layout;
  return [size, ...[walls, state.holes, state.crates].map((cells) => cells.join(' ')), door, plate].join('|');
}

/** The side of a world; the same for every seed, and not to be changed without training again. */
export function splitOf(world: World): Split {
  return hashOf('world split', splitKey(world)) < HELD_OUT_SHARE * 2 ** 32 ? 'held-out' : 'train';
}
