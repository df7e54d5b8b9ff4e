/** What an evaluation feeds at the latents: the model's own, or an intervention (see ../inference/intervention.ts). */

export const FED = ['own', 'zero', 'noise', 'swap', 'markers'] as const;
export type Fed = (typeof FED)[number];

/** In tables and reports, after "latents". */
export const FED_NAMES: Record<Fed, string> = {
  own: 'its own',
  zero: 'zeroed',
  noise: 'noise of equal norm',
  swap: 'another sample’s',
  markers: 'markers only',
};

/** What was done, to begin a sentence about what it changed. */
export const DEEDS: Record<Exclude<Fed, 'own'>, string> = {
  zero: 'Zeroing the latents',
  noise: 'Noise in place of the latents',
  swap: "Another sample's latents",
  markers: 'Leaving the latents out',
};
