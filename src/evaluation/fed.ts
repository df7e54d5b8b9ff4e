/** What an evaluation feeds at the latents: the model's own, or an intervention (see ../inference/intervention.ts). */

import { INTERVENTION_KINDS, type InterventionKind } from '../analysis/intervention.ts';

/** In the order in which passes are shown. */
export const FED = ['own', ...INTERVENTION_KINDS] as const satisfies readonly ('own' | InterventionKind)[];
export type Fed = (typeof FED)[number];

/** What "all" stands for: the replacements of the papers, of which every one needs nothing but samples. */
export const USUAL = ['own', 'zero', 'noise', 'swap', 'markers'] as const satisfies readonly Fed[];

const OF_OWN_RUN: readonly Fed[] = ['mean', 'shuffle', 'oracle'];

/** Whether it is made of the run's own latents, or of what it wrote, so that the run comes first. */
export function isOfOwnRun(fed: Fed): boolean {
  return OF_OWN_RUN.includes(fed);
}

/** In tables and reports, after "latents". */
export const FED_NAMES: Record<Fed, string> = {
  own: 'its own',
  zero: 'zeroed',
  noise: 'noise of equal norm',
  mean: 'their mean',
  swap: 'another sample’s',
  shuffle: 'in another order',
  oracle: 'the teacher’s selection',
  dummy: 'pads (dummy slots)',
  markers: 'markers only',
  none: 'no block at all',
};

/** What was done, to begin a sentence about what it changed. */
export const DEEDS: Record<Exclude<Fed, 'own'>, string> = {
  zero: 'Zeroing the latents',
  noise: 'Noise in place of the latents',
  mean: 'Their mean in place of the latents',
  swap: "Another sample's latents",
  shuffle: 'Another order of the latents',
  oracle: "The teacher's selection in place of the latents",
  dummy: 'Pads in place of the latents',
  markers: 'Leaving the latents out',
  none: 'Leaving out all blocks',
};

/** In the order of `FED`, each once. */
export function inOrderOfFed(wanted: readonly Fed[]): Fed[] {
  return FED.filter((fed) => wanted.includes(fed));
}
