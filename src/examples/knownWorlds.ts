/** Worlds as the bundled model of them was trained on; others may still be asked about. */

import type { WorldSettings } from '../worlds/generate.ts';
import { WORLD_DEFAULTS } from '../worlds/stream.ts';

/** Held out: no such layout was trained on. @param moves how many, 1 to 6 */
export function knownWorlds(seed: number, count: number, moves: readonly number[]): WorldSettings {
  return {
    ...WORLD_DEFAULTS,
    count,
    sizes: [4],
    dynamics: ['swaps'],
    moves,
    seed,
    split: 'held-out',
    questions: ['state'],
    style: [1],
    cell: 28,
  };
}
