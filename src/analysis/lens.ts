/** The lens: what a latent's state would say if the model stopped at a layer, and which patches are like it there. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import type { NumericArray } from '../tensor/array.ts';
import { COSINE, COUNT, SHARE } from './check.ts';
import { analysis, numbers } from './definition.ts';

const LENS_WORDS = 20;

export const lens = analysis({
  version: 1,
  needs: 'model',
  secondRun: false,
  parameters: z.strictObject({
    /** Words per latent and layer. */
    words: z.int().min(1).max(100).default(LENS_WORDS),
  }),
  offered: { words: { label: message('Words per layer') } },
  /** N latents in the run's order, L + 1 rows: 0 is what was fed, then the state after each layer. */
  result: z.strictObject({
    words: z
      .strictObject({
        /** [N, L + 1, words], likeliest first */
        ids: numbers(3),
        /** The same, from 0 to 1. */
        probabilities: numbers(3),
        /** Text of each id. */
        texts: z.record(z.string(), z.string()),
      })
      .optional(),
    /** Of each picture in the prompt: cosines [N, L + 1, tokens]. */
    patches: z.array(z.strictObject({ picture: z.string(), cosines: numbers(3) })),
  }),
  check({ words, patches }, claims) {
    const { latents, layers } = claims.run;
    const of = (array: NumericArray): number => {
      const [count = 0] = array.shape;
      claims.index('latents', count, latents + 1);
      return count;
    };
    if (words !== undefined) {
      const axes = [of(words.ids), layers + 1, words.ids.shape[2]!];
      claims.array('words.ids', words.ids, axes, COUNT);
      claims.array('words.probabilities', words.probabilities, axes, SHARE);
    }
    for (const { picture, cosines } of patches) {
      const tokens = claims.picture('patches.picture', picture);
      claims.array('patches.cosines', cosines, [of(cosines), layers + 1, tokens], COSINE);
    }
  },
  tab: 'lens',
  title: message('Lens'),
  method: message(
    'The state at the latent after each layer, through the final norm, the head for latents where words are chosen ' +
      'through it, and the output matrix: softmax over all words. ' +
      "Row 0 is the vector that was fed, which is past the norm. Patches: cosine with the picture tokens' states after " +
      'the same layer; in row 0 with their features.',
  ),
  source: message('nostalgebraist, interpreting GPT: the logit lens (2020)'),
  limits: message(
    'A lens, not a meaning: the output matrix was made for the last layer only, and most visual states say nothing ' +
      'readable through it (arXiv 2602.00462). Cosines of states share a large common part.',
  ),
});
