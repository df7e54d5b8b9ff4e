/** Reads the lens' arrays: of one latent after one layer. Free of schemas, so that a page can have it. */

import type { NumericArray } from '../tensor/array.ts';

/** Words of all latents and rows; see the lens' result. */
export interface LensWords {
  ids: NumericArray;
  probabilities: NumericArray;
  texts: Record<string, string>;
}

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
export function lensWords({ ids, probabilities, texts }: LensWords, latent: number, row: number): LensWord[] {
  const [, rows = 0, count = 0] = ids.shape;
  return Array.from({ length: count }, (_, i) => {
    const at = (latent * rows + row) * count + i;
    const id = ids.data[at]!;
    return { id, text: texts[id] ?? '', probability: probabilities.data[at]! };
  });
}
