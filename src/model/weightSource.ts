/** Where graphs get their weights from; ../checkpoint implements it. */

import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import type { StoredRef, WeightRef } from '../tensor/dtype.ts';

/** What an adapter adds to a matrix W (out, in): scale · B A, with A (r, in) and B (out, r). */
export interface LowRank {
  a: WeightRef;
  b: WeightRef;
  scale: number;
  /** While A and B are trained: what A reads in place of x, with some of it dropped out. */
  dropOut?: (graph: GraphBuilder, x: Value) => Value;
}

/** A tensor of the checkpoint and, for a matrix that an adapter was trained for, what it adds. */
export interface Weight extends WeightRef {
  adapter?: LowRank;
}

/** A matrix (rows, columns) in blocks of few bits, as MatMulNBits reads it; see ../quantise. */
export interface PackedMatrix {
  rows: number;
  columns: number;
  bits: 8 | 4;
  /** Numbers in a block. */
  block: number;
  /** uint8 (rows, blocks, block · bits / 8) */
  data: StoredRef;
  /** float32 (rows · blocks) */
  scales: StoredRef;
  /** uint8, two to a byte; without them the zero is the middle. */
  zeros?: StoredRef;
}

/** Tensors by their names of transformers 4.50 (`visual.*`, `model.*`, `lm_head.weight`). */
export interface WeightSource {
  /** @throws UserError if the tensor is missing or has another shape */
  get(name: string, shape: number[]): Weight;
  /** These matrices, one under the other, in blocks; undefined where they are not stored so. */
  packed?(names: readonly string[]): PackedMatrix | undefined;
  /** Whether matrices are multiplied in float16. */
  readonly half?: boolean;
}
