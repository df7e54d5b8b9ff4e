/** Latents compared with pictures: similarity and the trainer's selection. Nothing here is attention. */

import { cosines, RELEASED_SELECTION, select } from '../model/selection.ts';
import type { NumericArray } from '../tensor/array.ts';
import type { TraceComparison } from '../trace/schema.ts';

/** A picture's merged features (tokens, C) under its trace id. */
export interface PictureFeatures {
  id: string;
  features: NumericArray;
}

/** @param count K, the most features that a latent may select */
export function compareLatent(
  vector: Float32Array,
  pictures: readonly PictureFeatures[],
  count: number,
): TraceComparison[] {
  return pictures.map(({ id, features }) => {
    const selection = select(vector, features, { ...RELEASED_SELECTION, count });
    const list = (data: Float32Array): NumericArray => ({ shape: [data.length], data });
    return {
      picture: id,
      similarity: list(cosines(vector, features)),
      selection: {
        groupSize: selection.groupSize,
        cosines: list(selection.cosines),
        probabilities: list(selection.probabilities),
        selected: selection.selected,
      },
    };
  });
}
