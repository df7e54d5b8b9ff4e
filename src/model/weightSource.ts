/** Where graphs get their weights from; ../checkpoint implements it. */

import type { WeightRef } from '../tensor/dtype.ts';
import { BYTES } from '../tensor/dtype.ts';

/** Tensors by their names of transformers 4.50 (`visual.*`, `model.*`, `lm_head.weight`). */
export interface WeightSource {
  /** @throws UserError if the tensor is missing or has another shape */
  get(name: string, shape: number[]): WeightRef;
}

/** Rows `first … first + count` of a matrix or vector, as a reference into the same bytes. */
export function rowsOf(ref: WeightRef, first: number, count: number): WeightRef {
  const rowBytes = ref.shape.slice(1).reduce((product, length) => product * length, 1) * BYTES[ref.dtype];
  return {
    ...ref,
    offset: ref.offset + first * rowBytes,
    length: count * rowBytes,
    shape: [count, ...ref.shape.slice(1)],
  };
}
