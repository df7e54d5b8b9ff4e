/** Latents compared with pictures: similarity and the trainer's selection. Nothing here is attention. */

import { cosines, RELEASED_SELECTION, select, type Selection } from '../model/selection.ts';
import type { NumericArray } from '../tensor/array.ts';

/** A picture's merged features (tokens, C) under its trace id. */
export interface PictureFeatures {
  id: string;
  features: NumericArray;
}

/** A latent beside the features of one picture. */
export interface Comparison {
  picture: string;
  /** cos(latent, feature), one for each token. */
  similarity: Float32Array;
  /** The trainer's selection among candidates, each the mean of `groupSize` tokens. */
  selection: Selection;
}

/** @param count K, the most features that a latent may select */
export function compareLatent(
  vector: Float32Array,
  pictures: readonly PictureFeatures[],
  count: number,
): Comparison[] {
  return pictures.map(({ id, features }) => ({
    picture: id,
    similarity: cosines(vector, features),
    selection: select(vector, features, { ...RELEASED_SELECTION, count }),
  }));
}
