/** Formulas as nodes: `mul(graph, a, b)` for a · b, with the broadcasting of ONNX. */

import type { GraphBuilder, Value } from './graphBuilder.ts';
import type { OpName } from './ops.ts';

/** A number stands for a scalar constant. */
type Operand = Value | number;

const binary =
  (op: OpName) =>
  (graph: GraphBuilder, a: Operand, b: Operand): Value =>
    graph.op(op, [operand(graph, a), operand(graph, b)]);

const unary =
  (op: OpName) =>
  (graph: GraphBuilder, x: Value): Value =>
    graph.op(op, [x]);

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const div = binary('Div');
export const matMul = binary('MatMul');
export const neg = unary('Neg');
export const exp = unary('Exp');
export const log = unary('Log');
export const sqrt = unary('Sqrt');
export const sigmoid = unary('Sigmoid');
export const erf = unary('Erf');

const reduction =
  (op: OpName) =>
  (graph: GraphBuilder, x: Value, axes: readonly number[]): Value =>
    graph.op(op, [x, graph.ints(axes)], { keepdims: 1 });

/** Reduced axes keep length 1. */
export const sum = reduction('ReduceSum');
export const mean = reduction('ReduceMean');
export const max = reduction('ReduceMax');

/** Zeros of a shape. */
export function zeros(graph: GraphBuilder, shape: readonly number[]): Value {
  return expand(graph, graph.scalar(0), shape);
}

export function expand(graph: GraphBuilder, x: Value, shape: readonly number[]): Value {
  return graph.op('Expand', [x, graph.ints(shape)]);
}

/** A product of matrices, each read transposed or not. */
export function gemm(graph: GraphBuilder, a: Value, transA: boolean, b: Value, transB: boolean): Value {
  return graph.op('Gemm', [a, b], { transA: Number(transA), transB: Number(transB) });
}

/** Rows of x (N, …) by an index column (R, 1) → (R, …), given the lengths after the first. */
export function rows(graph: GraphBuilder, x: Value, column: Value, rest: readonly number[]): Value {
  return graph.reshape(graph.op('Gather', [x, column]), [-1, ...rest]); // (R, 1, …) → (R, …)
}

/** data with `updates` (R, …) added to the rows that `column` (R, 1) names. */
export function scatterAdd(graph: GraphBuilder, data: Value, column: Value, updates: Value): Value {
  return graph.op('ScatterND', [data, column, updates], { reduction: { text: 'add' } });
}

/** Buffers that a WebGPU kernel may bind are few; one is the input's. */
const MOST_PARTS = 7;

/** Consecutive parts of x along an axis, any number of them. */
export function split(graph: GraphBuilder, x: Value, lengths: readonly number[], axis: number): Value[] {
  if (lengths.length === 1) return [x];
  if (lengths.length <= MOST_PARTS)
    return graph.ops('Split', [x, graph.ints(lengths)], lengths.length, { axis });
  const groups = Array.from({ length: Math.ceil(lengths.length / MOST_PARTS) }, (_, i) =>
    lengths.slice(i * MOST_PARTS, (i + 1) * MOST_PARTS),
  );
  const totals = groups.map((group) => group.reduce((total, length) => total + length, 0));
  return split(graph, x, totals, axis).flatMap((part, i) => split(graph, part, groups[i]!, axis));
}

function operand(graph: GraphBuilder, value: Operand): Value {
  return typeof value === 'number' ? graph.scalar(value) : value;
}
