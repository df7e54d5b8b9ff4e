/**
 * The language model as graphs: embedding, decoder, head.
 *
 * One decoder graph serves prefill and decode. Keys and values come in two parts, so that a step
 * copies only the short one: *frozen* (the prompt, and later what was merged into it) is read in
 * place, *growing* is concatenated with the new rows and returned. Softmax runs over both, and its
 * result is the attention map: nothing is recomputed to look at it.
 *
 * Letters: S new positions, F frozen slots, G growing slots, N = G + S, T = F + N all slots,
 * C hidden size, H query heads, K key/value heads, R = H / K, d head size, L layers,
 * Q captured rows of attention, P captured rows of states.
 */

import { split } from '../onnx/arithmetic.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import { baseOf } from './bases/all.ts';
import type { TextConfig } from './config.ts';
import { product, products, rmsNorm, rotate, swiGlu, type Matrix } from './layers.ts';
import type { WeightSource } from './weightSource.ts';

/** ids (S) → embeddings (S, C) */
export function embeddingGraph(config: TextConfig, weights: WeightSource): Uint8Array {
  const graph = new GraphBuilder('embedding');
  const ids = graph.input('ids', 'int64', ['S']);
  graph.output('embeddings', embed(graph, config, weights, ids), ['S', config.hiddenSize]);
  return graph.build();
}

/** hidden (S, C) → logits (S, V). A graph of its own, so that latent steps do not pay for it. */
export function headGraph(config: TextConfig, weights: WeightSource): Uint8Array {
  const graph = new GraphBuilder('head');
  const hidden = graph.input('hidden', 'float32', ['S', config.hiddenSize]);
  graph.output('logits', logitsOf(graph, config, weights, hidden), ['S', config.vocabularySize]);
  return graph.build();
}

/** What a layer gives (S, C) → hidden (S, C), as if it were the last: the first half of a lens. */
export function normGraph(config: TextConfig, weights: WeightSource): Uint8Array {
  const graph = new GraphBuilder('norm');
  const states = graph.input('states', 'float32', ['S', config.hiddenSize]);
  graph.output('hidden', finalNorm(graph, config, weights, states), ['S', config.hiddenSize]);
  return graph.build();
}

/** ids of any shape → their rows of the embedding table */
export function embed(graph: GraphBuilder, config: TextConfig, weights: WeightSource, ids: Value): Value {
  const table = weights.get('model.embed_tokens.weight', [config.vocabularySize, config.hiddenSize]);
  return graph.rowsOf(table, ids);
}

/** hidden (N, C) → logits (N, V) */
export function logitsOf(
  graph: GraphBuilder,
  config: TextConfig,
  weights: WeightSource,
  hidden: Value,
): Value {
  return product(graph, weights, hidden, {
    name: config.tiedEmbeddings ? 'model.embed_tokens' : 'lm_head',
    rows: config.vocabularySize,
    columns: config.hiddenSize,
  });
}

/** Names of a layer's key/value tensors. Keys are stored transposed, ready to be multiplied. */
export const cacheNames = (layer: number) => ({
  frozenKey: `frozen_key.${layer}`, // (K, d, F)
  frozenValue: `frozen_value.${layer}`, // (K, F, d)
  growingKey: `growing_key.${layer}`, // (K, d, G)
  growingValue: `growing_value.${layer}`, // (K, G, d)
  presentKey: `present_key.${layer}`, // (K, d, N)
  presentValue: `present_value.${layer}`, // (K, N, d)
});

/**
 * Inputs: embeddings (S, C); with DeepStack added (A, D·C), what is added at them after each of the first D layers, A
 * being S or, for the same at all, 1; cos, sin (1, S, d/2); mask (S, T), added to the scores; parts (2) = [F, N];
 * rows (Q) and state_rows (P), the positions among S whose attention and states are wanted; and the cache's tensors.
 * Outputs: hidden (S, C) after the final norm; attention (L·H, Q, T); states (L, P, C), what each layer gives, before
 * the final norm; present keys and values.
 */
export function decoderGraph(config: TextConfig, weights: WeightSource): Uint8Array {
  const graph = new GraphBuilder('decoder');
  const half = config.headSize / 2;
  const inputs: CacheInputs = {
    cos: graph.input('cos', 'float32', [1, 'S', half]),
    sin: graph.input('sin', 'float32', [1, 'S', half]),
    mask: graph.input('mask', 'float32', ['S', 'T']),
    parts: graph.input('parts', 'int64', [2]),
    rows: graph.input('rows', 'int64', ['Q']),
  };
  const embeddings = graph.input('embeddings', 'float32', ['S', config.hiddenSize]);
  const stateRows = graph.input('state_rows', 'int64', ['P']);
  const maps: Value[] = [];
  const states: Value[] = [];
  const attend: Attend = (layer, q, k, v) => {
    const { mixed, map } = cachedAttention(graph, config, layer, q, k, v, inputs);
    maps.push(map);
    return mixed;
  };
  const added = addedInput(graph, config);
  const hidden = decoder(graph, config, weights, { embeddings, added }, inputs, attend, (x) => {
    const rows = graph.op('Gather', [x, stateRows], { axis: 0 }); // (P, C)
    states.push(graph.reshape(rows, [1, -1, config.hiddenSize]));
  });
  graph.output('states', graph.op('Concat', states, { axis: 0 }), [config.layers, 'P', config.hiddenSize]);
  graph.output('hidden', hidden, ['S', config.hiddenSize]);
  graph.output('attention', graph.op('Concat', maps, { axis: 0 }), [config.layers * config.heads, 'Q', 'T']);
  return graph.build();
}

/** (A, C) of each of the first layers. */
function addedInput(graph: GraphBuilder, { deepstackLayers: D = 0, hiddenSize: C }: TextConfig): Value[] {
  if (D === 0) return [];
  return split(graph, graph.input('added', 'float32', ['A', D * C]), new Array<number>(D).fill(C), 1);
}

interface CacheInputs {
  cos: Value;
  sin: Value;
  mask: Value;
  parts: Value;
  rows: Value;
}

/**
 * How a layer's new queries meet keys and values: the new ones, and whatever the caller remembers.
 * @param q (S, H, d), rotated
 * @param k (S, K, d), rotated
 * @param v (S, K, d)
 * @returns (S, H·d)
 */
export type Attend = (layer: number, q: Value, k: Value, v: Value) => Value;

/** What the first layer reads (S, C), and what is added to what each of the first ones gives, (S, C) or (1, C). */
export interface Fed {
  embeddings: Value;
  added?: readonly Value[];
}

/**
 * All layers and the final norm: what is fed → hidden (S, C). Angles are cos and sin (1, S, d/2).
 * @param onLayer gets what each layer gives the next (S, C)
 */
export function decoder(
  graph: GraphBuilder,
  config: TextConfig,
  weights: WeightSource,
  { embeddings, added = [] }: Fed,
  angles: { cos: Value; sin: Value },
  attend: Attend,
  onLayer: (x: Value) => void = () => undefined,
): Value {
  let x = embeddings;
  for (let layer = 0; layer < config.layers; layer++) {
    x = decoderLayer(graph, config, weights, layer, x, angles, attend);
    const more = added[layer];
    if (more !== undefined) x = graph.op('Add', [x, more]);
    onLayer(x);
  }
  return finalNorm(graph, config, weights, x);
}

/** What the last layer gives (N, C) → what the head reads and latents are fed with (N, C) */
export function finalNorm(graph: GraphBuilder, config: TextConfig, weights: WeightSource, x: Value): Value {
  return rmsNorm(graph, x, weights.get('model.norm.weight', [config.hiddenSize]), config.normEpsilon);
}

/** Pre-norm block: x + attention(norm(x)), then x + mlp(norm(x)). */
export function decoderLayer(
  graph: GraphBuilder,
  config: TextConfig,
  weights: WeightSource,
  layer: number,
  x: Value,
  angles: { cos: Value; sin: Value },
  attend: Attend,
): Value {
  const { hiddenSize: C, heads: H, kvHeads: K, headSize: d } = config;
  const prefix = `model.layers.${layer}`;
  const norm = (value: Value, name: string): Value =>
    rmsNorm(graph, value, weights.get(`${prefix}.${name}.weight`, [C]), config.normEpsilon);

  const normed = norm(x, 'input_layernorm');
  const headNorm = (value: Value, heads: number, name: string): Value => {
    const weight = weights.get(`${prefix}.self_attn.${name}.weight`, [d]);
    return rmsNorm(graph, graph.reshape(value, [-1, heads, d]), weight, config.normEpsilon);
  };
  const turned = (value: Value, heads: number, name: string): Value => {
    const own = baseOf(config).decoder.headNorms ? headNorm(value, heads, name) : value;
    return graph.reshape(rotate(graph, own, angles.cos, angles.sin, heads, d), [-1, heads, d]);
  };
  const projections = (['q_proj', 'k_proj', 'v_proj'] as const).map((name) =>
    projection(config, layer, name),
  );
  const [queries, keys, values] = products(graph, weights, normed, projections);
  const q = turned(queries!, H, 'q_norm'); // (S, H, d)
  const k = turned(keys!, K, 'k_norm'); // (S, K, d)
  const v = graph.reshape(values!, [-1, K, d]); // (S, K, d)
  const mixed = attend(layer, q, k, v); // (S, H·d)
  const output: Matrix = { name: `${prefix}.self_attn.o_proj`, rows: C, columns: H * d };
  const attention = product(graph, weights, mixed, output);

  const middle = graph.op('Add', [x, attention]);
  const mlp = swiGlu(graph, weights, norm(middle, 'post_attention_layernorm'), `${prefix}.mlp`, {
    hidden: C,
    feedForward: config.feedForwardSize,
    bias: false,
  });
  return graph.op('Add', [middle, mlp]);
}

/** The matrix of a layer's queries (N, H·d), keys or values (N, K·d), before rotation. */
export function projection(config: TextConfig, layer: number, name: 'q_proj' | 'k_proj' | 'v_proj'): Matrix {
  return {
    name: `model.layers.${layer}.self_attn.${name}`,
    rows: (name === 'q_proj' ? config.heads : config.kvHeads) * config.headSize,
    columns: config.hiddenSize,
    bias: baseOf(config).decoder.bias,
  };
}

/** softmax(q kᵀ / √d + mask) v over frozen and growing slots; a key head serves R query heads. */
function cachedAttention(
  graph: GraphBuilder,
  config: TextConfig,
  layer: number,
  q: Value,
  k: Value,
  v: Value,
  { mask, parts, rows }: CacheInputs,
): { mixed: Value; map: Value } {
  const { heads: H, kvHeads: K, headSize: d } = config;
  const cache = cacheTensors(
    graph,
    config,
    layer,
    graph.transpose(k, [1, 2, 0]),
    graph.transpose(v, [1, 0, 2]),
  );

  const queries = graph.reshape(graph.transpose(q, [1, 0, 2]), [K, -1, d]); // (K, R·S, d)
  const scores = graph.op(
    'Concat',
    [graph.op('MatMul', [queries, cache.frozenKey]), graph.op('MatMul', [queries, cache.key])],
    { axis: 2 },
  ); // (K, R·S, T)
  const scaled = graph.op('Mul', [graph.reshape(scores, [H, -1, 0]), graph.scalar(1 / Math.sqrt(d))]);
  const masked = graph.op('Add', [scaled, mask]); // (H, S, T)
  const probabilities = graph.op('Softmax', [masked], { axis: -1 });

  const grouped = graph.reshape(probabilities, [K, -1, 0]); // (K, R·S, T)
  const [overFrozen, overGrowing] = graph.ops('Split', [grouped, parts], 2, { axis: 2 });
  const mixed = graph.op('Add', [
    graph.op('MatMul', [overFrozen!, cache.frozenValue]),
    graph.op('MatMul', [overGrowing!, cache.value]),
  ]); // (K, R·S, d)
  const joined = graph.transpose(graph.reshape(mixed, [H, -1, d]), [1, 0, 2]); // (S, H, d)
  return {
    mixed: graph.reshape(joined, [-1, H * d]),
    map: graph.op('Gather', [probabilities, rows], { axis: 1 }), // (H, Q, T)
  };
}

/** Joins the new rows to the growing part and returns it as the present part. */
function cacheTensors(
  graph: GraphBuilder,
  config: TextConfig,
  layer: number,
  k: Value, // (K, d, S)
  v: Value, // (K, S, d)
): { frozenKey: Value; frozenValue: Value; key: Value; value: Value } {
  const { kvHeads: K, headSize: d } = config;
  const names = cacheNames(layer);
  const growingKey = graph.input(names.growingKey, 'float32', [K, d, 'G']);
  const growingValue = graph.input(names.growingValue, 'float32', [K, 'G', d]);
  const key = graph.op('Concat', [growingKey, k], { axis: 2 });
  const value = graph.op('Concat', [growingValue, v], { axis: 1 });
  graph.output(names.presentKey, key, [K, d, 'N']);
  graph.output(names.presentValue, value, [K, 'N', d]);
  return {
    frozenKey: graph.input(names.frozenKey, 'float32', [K, d, 'F']),
    frozenValue: graph.input(names.frozenValue, 'float32', [K, 'F', d]),
    key,
    value,
  };
}
