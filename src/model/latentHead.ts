/**
 * A head for latents: what a state goes through before it is fed back. LVR (VincentLeebang/lvr) has two kinds.
 * - simple: LayerNorm, Linear, GELU, Linear
 * - glu: down(silu(gate(x)) · up(x)), all with biases
 */

import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import { layerNorm, product, swiGlu } from './layers.ts';
import type { WeightSource } from './weightSource.ts';

export interface LatentHead {
  kind: 'simple' | 'glu';
  /** Of the layer between. */
  width: number;
}

/** Names of all its tensors begin so. */
export const LATENT_HEAD = 'lvr_head';
const NORM_EPSILON = 1e-6;

/** Tensor whose first dimension is the width. */
export const WIDTH_OF = {
  simple: `${LATENT_HEAD}.mlp.0.weight`,
  glu: `${LATENT_HEAD}.gate_proj.weight`,
} as const satisfies Record<LatentHead['kind'], string>;

/** hidden (S, C) → what is fed (S, C) */
export function latentHeadGraph(head: LatentHead, hiddenSize: number, weights: WeightSource): Uint8Array {
  const graph = new GraphBuilder('latent head');
  const hidden = graph.input('hidden', 'float32', ['S', hiddenSize]);
  graph.output('latents', throughLatentHead(graph, head, hiddenSize, weights, hidden), ['S', hiddenSize]);
  return graph.build();
}

/** (S, C) → (S, C) */
export function throughLatentHead(
  graph: GraphBuilder,
  { kind, width }: LatentHead,
  hiddenSize: number,
  weights: WeightSource,
  hidden: Value,
): Value {
  const size = { hidden: hiddenSize, feedForward: width, bias: true };
  return kind === 'glu'
    ? swiGlu(graph, weights, hidden, LATENT_HEAD, size)
    : simple(graph, weights, hidden, hiddenSize, width);
}

function simple(
  graph: GraphBuilder,
  weights: WeightSource,
  x: Value,
  hiddenSize: number,
  width: number,
): Value {
  const matrix = (name: string, rows: number, columns: number) => ({
    name: `${LATENT_HEAD}.mlp.${name}`,
    rows,
    columns,
    bias: true,
  });
  const part = (kind: 'weight' | 'bias') => weights.get(`${LATENT_HEAD}.ln_q.${kind}`, [hiddenSize]);
  const normed = layerNorm(graph, x, part('weight'), part('bias'), NORM_EPSILON);
  const wide = graph.op('Gelu', [product(graph, weights, normed, matrix('0', width, hiddenSize))]);
  return product(graph, weights, wide, matrix('2', hiddenSize, width));
}
