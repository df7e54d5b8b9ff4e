/** Where graphs get their weights from; ../checkpoint implements it. */

import type { WeightRef } from '../tensor/dtype.ts';
import { BYTES } from '../tensor/dtype.ts';

/** What an adapter adds to a matrix W (out, in): scale · B A, with A (r, in) and B (out, r). */
export interface LowRank {
  a: WeightRef;
  b: WeightRef;
  scale: number;
}

/** A tensor of the checkpoint and, for a matrix that an adapter was trained for, what it adds. */
export interface Weight extends WeightRef {
  adapter?: LowRank;
}

/** Tensors by their names of transformers 4.50 (`visual.*`, `model.*`, `lm_head.weight`). */
export interface WeightSource {
  /** @throws UserError if the tensor is missing or has another shape */
  get(name: string, shape: number[]): Weight;
}

/** Rows `first … first + count` of a matrix or vector, as a reference into the same bytes. */
export function rowsOf(weight: Weight, first: number, count: number): Weight {
  const { adapter, ...ref } = weight;
  const rows = slice(ref, first, count);
  return adapter === undefined
    ? rows
    : { ...rows, adapter: { ...adapter, b: slice(adapter.b, first, count) } };
}

function slice(ref: WeightRef, first: number, count: number): WeightRef {
  const rowBytes = ref.shape.slice(1).reduce((product, length) => product * length, 1) * BYTES[ref.dtype];
  return {
    ...ref,
    offset: ref.offset + first * rowBytes,
    length: count * rowBytes,
    shape: [count, ...ref.shape.slice(1)],
  };
}
