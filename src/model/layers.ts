/** Building blocks that the vision tower and the decoder share. */

import { add, mul, sigmoid, sub } from '../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import type { WeightRef } from '../tensor/dtype.ts';
import type { Weight, WeightSource } from './weightSource.ts';

/**
 * y = x Wᵀ + b for x (N, in) and Hugging Face's W (out, in), which Gemm reads as it is.
 * With an adapter, y = x Wᵀ + b + scale · (x Aᵀ) Bᵀ: W itself stays untouched in its file.
 */
export function linear(graph: GraphBuilder, x: Value, weight: Weight, bias?: WeightRef): Value {
  const rows = weight.shape[0]!;
  const inputs = [x, graph.weight(weight, [rows, weight.length / rows / (weight.dtype === 'F32' ? 4 : 2)])];
  const y = graph.op('Gemm', bias === undefined ? inputs : [...inputs, graph.weight(bias)], { transB: 1 });
  if (weight.adapter === undefined) return y;
  const { a, b, scale, dropOut } = weight.adapter;
  const narrow = graph.op('Gemm', [dropOut?.(graph, x) ?? x, graph.weight(a)], { transB: 1 }); // (N, r)
  const scaled = graph.op('Mul', [narrow, graph.scalar(scale)]);
  return graph.op('Add', [y, graph.op('Gemm', [scaled, graph.weight(b)], { transB: 1 })]);
}

/** RMSNorm over the last axis: x / √(mean(x²) + ε) · w */
export function rmsNorm(graph: GraphBuilder, x: Value, weight: WeightRef, epsilon: number): Value {
  return graph.op('SimplifiedLayerNormalization', [x, graph.weight(weight)], {
    axis: -1,
    epsilon: { float: epsilon },
  });
}

/** SwiGLU feed-forward: down(silu(gate(x)) · up(x)). The vision tower's has biases, the decoder's has none. */
export function swiGlu(
  graph: GraphBuilder,
  weights: WeightSource,
  x: Value,
  prefix: string,
  size: { hidden: number; feedForward: number; bias: boolean },
): Value {
  const project = (input: Value, name: string, out: number, inSize: number): Value =>
    linear(
      graph,
      input,
      weights.get(`${prefix}.${name}.weight`, [out, inSize]),
      size.bias ? weights.get(`${prefix}.${name}.bias`, [out]) : undefined,
    );
  const gate = project(x, 'gate_proj', size.feedForward, size.hidden);
  const up = project(x, 'up_proj', size.feedForward, size.hidden);
  return project(gated(graph, gate, up), 'down_proj', size.hidden, size.feedForward);
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
