/** What can be done to a run's latents, by name; what is then fed is ../inference/intervention.ts. Free of schemas. */

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

/** One block, or one latent of it, both counted from 0. */
export interface InterventionScope {
  block: number;
  latent?: number | undefined;
}

/** Whether a block, or a latent of it, is meant; all are without a scope. */
export function inScope(scope: InterventionScope | undefined, block: number, latent?: number): boolean {
  if (scope === undefined) return true;
  if (scope.block !== block) return false;
  return scope.latent === undefined || latent === undefined || scope.latent === latent;
}
