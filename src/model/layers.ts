/** Building blocks that the vision tower and the decoder share. */

import { add, mean, mul, sigmoid, split, sub } from '../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import type { WeightRef } from '../tensor/dtype.ts';
import type { PackedMatrix, Weight, WeightSource } from './weightSource.ts';

/** A matrix W (rows, columns) of the checkpoint, `NAME.weight`, and perhaps its `NAME.bias`. */
export interface Matrix {
  name: string;
  rows: number;
  columns: number;
  bias?: boolean;
}

/** y = x Wᵀ + b for x (N, columns) */
export function product(graph: GraphBuilder, weights: WeightSource, x: Value, matrix: Matrix): Value {
  return products(graph, weights, x, [matrix])[0]!;
}

/** Products of the same x with several matrices: one product where these are stored as one. */
export function products(
  graph: GraphBuilder,
  weights: WeightSource,
  x: Value,
  matrices: readonly Matrix[],
): Value[] {
  const packed = weights.packed?.(matrices.map(({ name }) => `${name}.weight`));
  const bias = ({ name, rows, bias: has }: Matrix): WeightRef | undefined =>
    has === true ? weights.get(`${name}.bias`, [rows]) : undefined;
  const weightOf = ({ name, rows, columns }: Matrix): Weight =>
    weights.get(`${name}.weight`, [rows, columns]);
  if (packed === undefined) {
    const multiply = weights.half === true ? halfLinear : linear;
    return matrices.map((matrix) => multiply(graph, x, weightOf(matrix), bias(matrix)));
  }
  const joined = packedProduct(graph, x, packed);
  const rows = matrices.map((matrix) => matrix.rows);
  const parts = rows.length === 1 ? [joined] : split(graph, joined, rows, 1);
  return matrices.map((matrix, i) => {
    const added = bias(matrix);
    const y = added === undefined ? parts[i]! : add(graph, parts[i]!, graph.weight(added));
    return withAdapter(graph, x, y, weightOf(matrix));
  });
}

/**
 * y = x Wᵀ + b for x (N, in) and Hugging Face's W (out, in), which Gemm reads as it is.
 * With an adapter, y = x Wᵀ + b + scale · (x Aᵀ) Bᵀ: W itself stays untouched in its file.
 */
export function linear(graph: GraphBuilder, x: Value, weight: Weight, bias?: WeightRef): Value {
  const rows = weight.shape[0]!;
  const inputs = [x, graph.weight(weight, [rows, weight.length / rows / (weight.dtype === 'F32' ? 4 : 2)])];
  const y = graph.op('Gemm', bias === undefined ? inputs : [...inputs, graph.weight(bias)], { transB: 1 });
  return withAdapter(graph, x, y, weight);
}

/** The same with the product in float16; sums around it stay float32. */
function halfLinear(graph: GraphBuilder, x: Value, weight: Weight, bias?: WeightRef): Value {
  const y = graph.single(graph.op('Gemm', [graph.half(x), graph.halfWeight(weight)], { transB: 1 }));
  return withAdapter(graph, x, bias === undefined ? y : add(graph, y, graph.weight(bias)), weight);
}

function withAdapter(graph: GraphBuilder, x: Value, y: Value, { adapter }: Weight): Value {
  if (adapter === undefined) return y;
  const { a, b, scale, dropOut } = adapter;
  const narrow = graph.op('Gemm', [dropOut?.(graph, x) ?? x, graph.weight(a)], { transB: 1 }); // (N, r)
  const scaled = graph.op('Mul', [narrow, graph.scalar(scale)]);
  return graph.op('Add', [y, graph.op('Gemm', [scaled, graph.weight(b)], { transB: 1 })]);
}

/** x Wᵀ for a W in blocks of few bits. x is rounded to 8 bits on the way, as llama.cpp does: level 4 is 3 × faster. */
function packedProduct(
  graph: GraphBuilder,
  x: Value,
  { rows, columns, bits, block, data, scales, zeros }: PackedMatrix,
): Value {
  const inputs = [x, graph.stored(data), graph.stored(scales), zeros && graph.stored(zeros)];
  const attributes = { K: columns, N: rows, bits, block_size: block, accuracy_level: 4 };
  return graph.op('MatMulNBits', zeros === undefined ? inputs.slice(0, 3) : inputs, attributes);
}

/** RMSNorm over the last axis: x / √(mean(x²) + ε) · w */
export function rmsNorm(graph: GraphBuilder, x: Value, weight: WeightRef, epsilon: number): Value {
  return graph.op('SimplifiedLayerNormalization', [x, graph.weight(weight)], {
    axis: -1,
    epsilon: { float: epsilon },
  });
}

/** LayerNorm over the last axis of x (N, C): RMSNorm of what is left without the mean, and the bias. */
export function layerNorm(
  graph: GraphBuilder,
  x: Value,
  weight: WeightRef,
  bias: WeightRef,
  epsilon: number,
): Value {
  const centred = sub(graph, x, mean(graph, x, [1]));
  return add(graph, rmsNorm(graph, centred, weight, epsilon), graph.weight(bias));
}

/** SwiGLU feed-forward: down(silu(gate(x)) · up(x)). The vision tower's has biases, the decoder's has none. */
export function swiGlu(
  graph: GraphBuilder,
  weights: WeightSource,
  x: Value,
  prefix: string,
  size: { hidden: number; feedForward: number; bias: boolean },
): Value {
  const matrix = (name: string, rows: number, columns: number): Matrix => ({
    name: `${prefix}.${name}`,
    rows,
    columns,
    bias: size.bias,
  });
  const [gate, up] = products(graph, weights, x, [
    matrix('gate_proj', size.feedForward, size.hidden),
    matrix('up_proj', size.feedForward, size.hidden),
  ]);
  return product(
    graph,
    weights,
    gated(graph, gate!, up!),
    matrix('down_proj', size.hidden, size.feedForward),
  );
}

/** silu(x) · u */
export function gated(graph: GraphBuilder, x: Value, u: Value): Value {
  const gate = sigmoid(graph, x);
  const activated = mul(graph, x, gate);
  const y = mul(graph, activated, u);
  // ∂u = g x σ, ∂x = g (y + σ (u - y)), σ = σ(x). Node by node it would be more passes.
  graph.formulas.set(y, {
    inputs: [x, u],
    gradients: (g) => [
      mul(graph, g, add(graph, y, mul(graph, gate, sub(graph, u, y)))),
      mul(graph, g, activated),
    ],
  });
  return y;
}

/**
 * Rotary position embedding of x (N, heads · d), half-split pairs.
 * @param cos,sin (1, N, d / 2), computed outside: 2-D for patches, three axes for M-RoPE
 */
export function rotate(
  graph: GraphBuilder,
  x: Value,
  cos: Value,
  sin: Value,
  heads: number,
  headSize: number,
): Value {
  const sequence = graph.reshape(x, [1, -1, heads * headSize]); // (1, N, H·d)
  return graph.op('RotaryEmbedding', [sequence, cos, sin], { num_heads: heads });
}
