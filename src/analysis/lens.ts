/** The lens: what a latent's state would say if the model stopped at a layer, and which patches are like it there. */

import * as z from 'zod';
import type { NumericArray } from '../tensor/array.ts';
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
  tab: 'lens',
  title: 'Lens',
  method:
    'The state at the latent after each layer, through the final norm and the output matrix: softmax over all words. ' +
    "Row 0 is the vector that was fed, which is past the norm. Patches: cosine with the picture tokens' states after " +
    'the same layer; in row 0 with their features.',
  source: 'nostalgebraist, interpreting GPT: the logit lens (2020)',
  limits:
    'A lens, not a meaning: the output matrix was made for the last layer only, and most visual states say nothing ' +
    'readable through it (arXiv 2602.00462). Cosines of states share a large common part.',
});

/** A patch and how like the latent it is. */
export interface NearPatch {
  /** Index among the picture's tokens. */
  token: number;
  cosine: number;
}

/**
 * The patches most like a latent, the most like first; of equal ones the first in the picture.
 * @param cosines (N, L + 1, tokens)
 */
export function nearestPatches(
  { shape, data }: NumericArray,
  latent: number,
  row: number,
  count: number,
): NearPatch[] {
  const [, rows = 0, tokens = 0] = shape;
  const start = (latent * rows + row) * tokens;
  return [...data.subarray(start, start + tokens)]
    .map((cosine, token) => ({ token, cosine }))
    .toSorted((a, b) => b.cosine - a.cosine || a.token - b.token)
    .slice(0, count);
}

/** A word that a state says. */
export interface LensWord {
  id: number;
  text: string;
  probability: number;
}

/** The words of a latent after a layer, likeliest first. */
export function lensWords(
  { ids, probabilities, texts }: NonNullable<z.output<typeof lens.result>['words']>,
  latent: number,
  row: number,
): LensWord[] {
  const [, rows = 0, count = 0] = ids.shape;
  return Array.from({ length: count }, (_, i) => {
    const at = (latent * rows + row) * count + i;
    const id = ids.data[at]!;
    return { id, text: texts[id] ?? '', probability: probabilities.data[at]! };
  });
}
