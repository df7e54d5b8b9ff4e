/** What can be done to a run's latents, by name; what is then fed is ../inference/intervention.ts. Free of schemas. */

import { message, type Message } from '../base/l10n.ts';

/**
 * - zero, noise (of equal norm), mean (of the run's own), swap (another run's), shuffle (its own in another order),
 *   oracle (what the trainer's teacher selects from helper pictures), dummy (the pad's embedding): other vectors
 * - markers: a block is its start and end tokens
 * - none: no block begins
 */
export const INTERVENTION_KINDS = [
  'zero',
  'noise',
  'mean',
  'swap',
  'shuffle',
  'oracle',
  'dummy',
  'markers',
  'none',
] as const;
export type InterventionKind = (typeof INTERVENTION_KINDS)[number];

/** What is fed, in words. */
export const INTERVENTION_NAMES: Record<InterventionKind, Message> = {
  zero: message('zeros'),
  noise: message('noise of equal norm'),
  mean: message('mean of the run’s latents'),
  swap: message('another run’s latents'),
  shuffle: message('own latents in another order'),
  oracle: message('the teacher’s selection'),
  dummy: message('pads (dummy slots)'),
  markers: message('markers alone'),
  none: message('no block at all'),
};

/** One block, or one latent of it, or the blocks from another up to it; all counted from 0. */
export interface InterventionScope {
  block: number;
  latent?: number | undefined;
  from?: number | undefined;
}

/** Whether a block, or a latent of it, is meant; all are without a scope. */
export function inScope(scope: InterventionScope | undefined, block: number, latent?: number): boolean {
  if (scope === undefined) return true;
  if (block > scope.block || block < (scope.from ?? scope.block)) return false;
  return scope.latent === undefined || latent === undefined || scope.latent === latent;
}

/** Why a variant cannot be tried. */
export const WHY_MISSING = [
  'no-other-run',
  'other-has-none',
  'other-size',
  'other-replaced',
  /** It is the same run, or one with the same latents. */
  'other-same',
  'one-latent',
  'no-helpers',
  'no-helper-here',
  'whole-blocks',
  /** The latents are tokens, and nothing is fed back. */
  'tokens',
  /** The teacher's rule is that of ILVR's training. */
  'other-recipe',
] as const;
export type WhyMissing = (typeof WHY_MISSING)[number];
