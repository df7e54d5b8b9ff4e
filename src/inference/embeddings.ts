/**
 * What positions are fed. With DeepStack (../model/bases/qwen3-vl) that is an embedding and, where a picture's token
 * stands, what the first layers add to its state.
 */

import type { NumericArray } from '../tensor/array.ts';

/** (S, C) */
export interface Embeddings extends NumericArray {
  /** (S, D·C): by position, what is added after each of the first D layers; absent: nothing at any. */
  added?: Float32Array | undefined;
}

/** Features of a picture's merged tokens (tokens, C). */
export interface PictureFeatures extends NumericArray {
  /** (tokens, D·C): their DeepStack levels; absent for a model without. */
  levels?: Float32Array | undefined;
}

/** Some of the positions, as views. */
export function sliceOf({ shape, data, added }: Embeddings, first: number, end: number): Embeddings {
  const [count = 0, width = 0] = shape;
  const more = added === undefined ? 0 : added.length / count;
  return {
    shape: [end - first, width],
    data: data.subarray(first * width, end * width),
    ...(added && { added: added.subarray(first * more, end * more) }),
  };
}

/** A copy with room for more positions after these. */
export function lengthened({ shape, data, added }: Embeddings, count: number): Embeddings {
  const [own = 0, width = 0] = shape;
  const copy = (values: Float32Array): Float32Array => {
    const longer = new Float32Array((values.length / Math.max(1, own)) * count);
    longer.set(values.subarray(0, longer.length));
    return longer;
  };
  return {
    shape: [count, width],
    data: copy(data),
    ...(added && { added: copy(added) }),
  };
}

/**
 * A copy with other vectors (C) at some positions.
 * @param additions what is added (D·C) at some; elsewhere it stays
 */
export function withVectors(
  { shape, data, added }: Embeddings,
  vectors: ReadonlyMap<number, Float32Array>,
  additions: ReadonlyMap<number, Float32Array> = new Map(),
): Embeddings {
  const [count = 0, width = 0] = shape;
  const replaced = (values: Float32Array, rows: ReadonlyMap<number, Float32Array>, size: number) => {
    const changed = values.slice();
    for (const [position, vector] of rows) changed.set(vector, position * size);
    return changed;
  };
  return {
    shape,
    data: replaced(data, vectors, width),
    ...(added && { added: replaced(added, additions, added.length / count) }),
  };
}
