/**
 * What is fed at the latents in place of the model's own: the causal tests of latent reasoning. A model
 * whose answers do not change when its latents are zeroed does not use what they hold.
 *
 * The model's own next hidden state goes on from the vector that was fed, so of a block only the first
 * latent is replaced as it would have been.
 */

import { unreachable } from '../base/errors.ts';
import { normalNumbers, seededNumbers } from '../base/random.ts';
import type { LatentIntervention } from '../protocol/engine.ts';
import { dot } from '../tensor/array.ts';

/**
 * The vector to feed for the run's n-th latent.
 * - zero: no vector at all; noise: a Gaussian one of the own one's norm, decided by seed, sample and index;
 * - swap: the n-th of another run's latents, from the first again where that run has fewer. A run without
 *   latents has none to give; the own ones then stay.
 * - markers: nothing is fed, as blocks hold no pads (see ./generation.ts).
 *
 * @param own the model's own vector for it
 * @param index n, counted from 0 over all blocks
 */
export function fedVector(
  own: Float32Array,
  index: number,
  intervention: LatentIntervention | undefined,
  seed: number,
): Float32Array {
  if (intervention === undefined) return own;
  switch (intervention.kind) {
    case 'zero':
      return new Float32Array(own.length);
    case 'noise':
      return noiseLike(own, mixed(seed, intervention.sample, index));
    case 'swap':
      return intervention.latents[index % intervention.latents.length] ?? own;
    case 'markers':
      throw new Error('a block of markers alone has no latents');
    default:
      return unreachable(intervention);
  }
}

function noiseLike(own: Float32Array, seed: number): Float32Array {
  const normal = normalNumbers(seed);
  const noise = own.map(() => normal());
  const scale = norm(own) / norm(noise);
  return noise.map((value) => value * scale);
}

function norm(vector: Float32Array): number {
  return Math.sqrt(dot(vector, 0, vector, 0, vector.length));
}

/** One seed from several numbers; their order counts. */
function mixed(...parts: number[]): number {
  return parts.reduce((hash, part) => (seededNumbers(hash ^ part)() * 2 ** 32) >>> 0, 0);
}
