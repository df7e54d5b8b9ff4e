/**
 * What is fed at the latents in place of the model's own: the causal tests of latent reasoning. A model
 * whose answers do not change when its latents are zeroed does not use what they hold.
 *
 * The model's own next hidden state goes on from the vector that was fed, so of a block only the first
 * latent is replaced as it would have been.
 */

import { inScope } from '../analysis/intervention.ts';
import { unreachable } from '../base/errors.ts';
import { normalNumbers, seededNumbers } from '../base/random.ts';
import type { LatentIntervention } from '../protocol/engine.ts';
import { lengthOf, meanOf } from '../tensor/array.ts';

/** What can be done to latents that are tokens: another embedding, or none of them. */
export const DONE_TO_TOKENS: readonly LatentIntervention['kind'][] = ['zero', 'markers', 'none'];

/** Where a latent stands. */
export interface LatentPlace {
  block: number;
  /** In its block. */
  latent: number;
  /** Over all blocks. */
  index: number;
}

/**
 * The vector to feed for a latent; undefined for the embedding of the pad that stands there.
 * - zero: no vector at all; noise: a Gaussian one of the own one's norm, decided by seed, sample and index;
 * - mean: the mean of the given latents; swap: the n-th of another run's latents, from the first again where that run
 *   has fewer; shuffle: another of the run's own, decided by seed and sample. Where there are none to give, the own stays.
 * - oracle: what the teacher selects for this place. A block without a selection keeps its own; places beyond the
 *   selection keep the pad's embedding, as in training.
 * - markers, none: nothing is fed, as there are no pads (see ./generation.ts).
 *
 * @param own the model's own vector for it
 */
export function fedVector(
  own: Float32Array,
  place: LatentPlace,
  intervention: LatentIntervention | undefined,
  seed: number,
): Float32Array | undefined {
  const { block, latent, index } = place;
  if (intervention === undefined || !inScope(intervention.scope, block, latent)) return own;
  switch (intervention.kind) {
    case 'zero':
      return new Float32Array(own.length);
    case 'noise':
      return noiseLike(own, mixed(seed, intervention.sample, index));
    case 'mean':
      return intervention.latents.length === 0 ? own : meanOf(intervention.latents);
    case 'swap':
      return intervention.latents[index % intervention.latents.length] ?? own;
    case 'shuffle':
      return shuffled(intervention, place, seed) ?? own;
    case 'oracle':
      return block in intervention.blocks ? intervention.blocks[block]![latent] : own;
    case 'dummy':
      return undefined;
    case 'markers':
    case 'none':
      throw new Error('there are no latents in this block');
    default:
      return unreachable(intervention);
  }
}

/** Of the latents in the scope, the one that takes this place. */
function shuffled(
  { blocks, scope, sample }: Extract<LatentIntervention, { kind: 'shuffle' }>,
  { block, latent, index }: LatentPlace,
  seed: number,
): Float32Array | undefined {
  const among = scope === undefined ? blocks.flat() : (blocks[block] ?? []);
  const at = scope === undefined ? index : latent;
  if (among.length === 0) return undefined;
  const order = orderBy(among.length, mixed(seed, sample, scope?.block ?? 0));
  return among[order[at % among.length]!];
}

/** 0 to count - 1 in the order of drawn numbers. */
function orderBy(count: number, seed: number): number[] {
  const random = seededNumbers(seed);
  const keys = Float64Array.from({ length: count }, () => random());
  return [...keys.keys()].toSorted((a, b) => keys[a]! - keys[b]!);
}

function noiseLike(own: Float32Array, seed: number): Float32Array {
  const normal = normalNumbers(seed);
  const noise = own.map(() => normal());
  const scale = lengthOf(own) / lengthOf(noise);
  return noise.map((value) => value * scale);
}

/** One seed from several numbers; their order counts. */
function mixed(...parts: number[]): number {
  return parts.reduce((hash, part) => (seededNumbers(hash ^ part)() * 2 ** 32) >>> 0, 0);
}
