/** Where graphs get their weights from; ../checkpoint implements it. */

import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import type { WeightRef } from '../tensor/dtype.ts';

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

/** Tensors by their names of transformers 4.50 (`visual.*`, `model.*`, `lm_head.weight`). */
export interface WeightSource {
  /** @throws UserError if the tensor is missing or has another shape */
  get(name: string, shape: number[]): Weight;
}
