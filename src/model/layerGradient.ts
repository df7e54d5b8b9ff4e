/**
 * The way back from an answer's probability, one graph per layer: each reads a whole sequence, so that its
 * attention is one square per head, and only one layer's squares are held at a time.
 *
 * Letters: T positions, C hidden size, H query heads, K key/value heads, d head size, n words of the answer.
 */

import { add, matMul, mul, sqrt, sum } from '../onnx/arithmetic.ts';
import { gradients } from '../onnx/gradient.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import { crossEntropy, logOdds } from '../onnx/losses.ts';
import type { TextConfig } from './config.ts';
import { decoderLayer, finalNorm, logitsOf, type Attend } from './decoder.ts';
import { throughLatentHead, type LatentHead } from './latentHead.ts';
import type { WeightSource } from './weightSource.ts';

/** What of a word is explained: log p, or log p / (1 - p). Both in nats. */
export type Objective = 'log-probability' | 'log-odds';

/**
 * Inputs: states (n, C) after the last layer, at the positions that the words were chosen at; words (n, 1), each
 * n · V + id as ../onnx/losses.ts counts them.
 * Outputs: surprise (n, 1), -log p of each word; gradient (n, C) of the objective, summed over the words.
 * @param head of positions whose states go through one before words are chosen from them
 */
export function answerGradientGraph(
  config: TextConfig,
  weights: WeightSource,
  count: number,
  objective: Objective,
  head?: LatentHead,
): Uint8Array {
  const graph = new GraphBuilder('answer gradient');
  const { hiddenSize: C } = config;
  const states = graph.input('states', 'float32', [count, C]);
  const words = graph.input('words', 'int64', [count, 1]);
  const logits = logitsOf(graph, config, weights, normed(graph, config, weights, states, head));
  const surprise = crossEntropy(graph, logits, words); // (n, 1)
  const each = objective === 'log-odds' ? logOdds(graph, logits, words) : mul(graph, surprise, -1);
  const [gradient] = gradients(graph, sum(graph, each, [0]), [states]);
  graph.output('surprise', surprise, [count, 1]);
  graph.output('gradient', gradient!, [count, C]);
  return graph.build();
}

/**
 * Inputs: states (1, C) after the last layer; g (1, C), the gradient of what the final norm makes of them, and the head
 * after it, if one is given.
 * Outputs: gradient (1, C).
 */
export function normGradientGraph(config: TextConfig, weights: WeightSource, head?: LatentHead): Uint8Array {
  const graph = new GraphBuilder('norm gradient');
  const shape = [1, config.hiddenSize];
  const states = graph.input('states', 'float32', shape);
  const g = graph.input('g', 'float32', shape);
  const total = sum(graph, mul(graph, normed(graph, config, weights, states, head), g), [0, 1]);
  const [gradient] = gradients(graph, total, [states]);
  graph.output('gradient', gradient!, shape);
  return graph.build();
}

/** States (n, C) after the last layer → after the final norm, and the head for latents if one is given. */
function normed(
  graph: GraphBuilder,
  config: TextConfig,
  weights: WeightSource,
  states: Value,
  head: LatentHead | undefined,
): Value {
  const hidden = finalNorm(graph, config, weights, states);
  return head === undefined ? hidden : throughLatentHead(graph, head, config.hiddenSize, weights, hidden);
}

/**
 * Inputs: x (T, C), what the layer reads; g (T, C), the gradient of what it gives; cos, sin (1, T, d/2);
 * mask (T, T), added to the scores.
 * Outputs, by query and key: flow (T, T), Σ over heads of A · ∂A, with A the probabilities; positive (T, T), the mean
 * over heads of what of it is above 0. Besides: gradient (T, C) of x.
 */
export function layerGradientGraph(
  config: TextConfig,
  weights: WeightSource,
  layer: number,
  length: number,
): Uint8Array {
  const graph = new GraphBuilder(`layer ${layer} gradient`);
  const { hiddenSize: C, headSize, heads: H } = config;
  const [T, half] = [length, headSize / 2];
  const [x, g] = ['x', 'g'].map((name) => graph.input(name, 'float32', [T, C]));
  const [cos, sin] = ['cos', 'sin'].map((name) => graph.input(name, 'float32', [1, T, half]));
  const mask = graph.input('mask', 'float32', [T, T]);
  let probabilities: Value | undefined; // (H, T, T)
  const attend: Attend = (_, q, k, v) => {
    const attention = wholeAttention(graph, config, { q, k, v }, mask, T);
    probabilities = attention.probabilities;
    return attention.mixed;
  };
  const y = decoderLayer(graph, config, weights, layer, x!, { cos: cos!, sin: sin! }, attend);
  // Its gradient is g, whatever came after this layer.
  const total = sum(graph, mul(graph, y, g!), [0, 1]);
  const [gradient, slope] = gradients(graph, total, [x!, probabilities!]);
  const flow = mul(graph, probabilities!, slope!);
  // (x + |x|) / 2, with operators that every device has.
  const above = mul(graph, add(graph, flow, sqrt(graph, mul(graph, flow, flow))), 0.5 / H);
  const overHeads = (value: Value): Value => graph.reshape(sum(graph, value, [0]), [T, T]);
  graph.output('gradient', gradient!, [T, C]);
  graph.output('flow', overHeads(flow), [T, T]);
  graph.output('positive', overHeads(above), [T, T]);
  return graph.build();
}

/** softmax(q kᵀ / √d + mask) v, with a key head for H / K query heads. q (T, H, d), k and v (T, K, d). */
function wholeAttention(
  graph: GraphBuilder,
  { heads: H, kvHeads: K, headSize: d }: TextConfig,
  { q, k, v }: { q: Value; k: Value; v: Value },
  mask: Value,
  T: number,
): { probabilities: Value; mixed: Value } {
  const rows = (H / K) * T;
  const queries = graph.reshape(graph.transpose(q, [1, 0, 2]), [K, rows, d]);
  const scores = matMul(graph, queries, graph.transpose(k, [1, 2, 0])); // (K, rows, T)
  const scaled = mul(graph, graph.reshape(scores, [H, T, T]), 1 / Math.sqrt(d));
  const probabilities = graph.op('Softmax', [add(graph, scaled, mask)], { axis: -1 });
  const read = matMul(graph, graph.reshape(probabilities, [K, rows, T]), graph.transpose(v, [1, 0, 2]));
  const joined = graph.transpose(graph.reshape(read, [H, T, d]), [1, 0, 2]); // (T, H, d)
  return { probabilities, mixed: graph.reshape(joined, [T, H * d]) };
}
