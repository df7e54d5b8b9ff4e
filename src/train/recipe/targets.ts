/** What supervises a block's latents: the teacher's selection, as the recipe has it, or what that is measured against. */

import type { Random } from '../../base/random.ts';
import { meanOf } from '../../tensor/array.ts';

/**
 * - selected: the features that the teacher's query is most similar to
 * - mean: all features, averaged in K contiguous runs
 * - random: K features, whichever
 * - none: nothing, and the latents keep the pad's embedding: a block of the same length that carries nothing on
 */
export const TARGET_RULES = ['selected', 'mean', 'random', 'none'] as const;
export type TargetRule = (typeof TARGET_RULES)[number];

/** @returns at most `count` vectors; fewer where there are fewer candidates */
export function targetsOf(
  rule: TargetRule,
  candidates: readonly Float32Array[],
  selected: readonly number[],
  count: number,
  random: Random,
): Float32Array[] {
  if (rule === 'selected') return selected.map((i) => candidates[i]!);
  if (rule === 'none') return [];
  const K = Math.min(count, candidates.length);
  if (rule === 'random') return drawn(candidates, K, random);
  return Array.from({ length: K }, (_, k) => {
    const [first, end] = [k, k + 1].map((n) => Math.floor((n * candidates.length) / K));
    return meanOf(candidates.slice(first, end));
  });
}

/** K of them, each once, in the order in which they are drawn. */
function drawn(from: readonly Float32Array[], count: number, random: Random): Float32Array[] {
  const left = [...from];
  return Array.from({ length: count }, () => left.splice(Math.floor(random() * left.length), 1)[0]!);
}
