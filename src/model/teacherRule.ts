/**
 * The teacher's rule (arXiv 2512.05665 and its code): what a sample is about, and the query that features of a helper
 * picture are selected by. The trainer reads it with the weights of its momentum teacher, the causal tests with the
 * model's own; which features are then selected is ./selection.ts.
 */

import { add, matMul, mean, mul } from '../onnx/arithmetic.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import { meanOf } from '../tensor/array.ts';
import type { ModelConfig, TextConfig } from './config.ts';
import { projection } from './decoder.ts';
import { product } from './layers.ts';
import { MASKED } from './positions.ts';
import type { WeightSource } from './weightSource.ts';

/** Which of a sequence's tokens are the prompt's words, and which its pictures'. */
export interface PromptParts {
  /** (S): 1 / count at the words, else 0 */
  text: Float32Array;
  /** (S): 0 at picture tokens, else very negative */
  image: Float32Array;
  /** Whether there are any picture tokens. */
  hasImage: boolean;
}

/**
 * @param turnStart index of the token that opens the assistant's turn; what is before it is the prompt
 * @param length S, where a graph reads more than there are ids
 */
export function promptPartsOf(
  ids: readonly number[],
  turnStart: number,
  { imagePad, visionStart, visionEnd }: ModelConfig['tokens'],
  length = ids.length,
): PromptParts {
  const isImage = (i: number): boolean => i < turnStart && ids[i] === imagePad;
  const isText = (i: number): boolean =>
    i < turnStart && ids[i] !== imagePad && ids[i] !== visionStart && ids[i] !== visionEnd;
  const places = Array.from({ length }, (_, i) => i);
  const count = places.filter(isText).length;
  return {
    text: Float32Array.from(places, (i) => (isText(i) ? 1 / count : 0)),
    image: Float32Array.from(places, (i) => (isImage(i) ? 0 : MASKED)),
    hasImage: places.some(isImage),
  };
}

/**
 * r_txt (1, C), the mean hidden state of the prompt's words; r_img (1, C), that of the picture tokens weighted by
 * softmax(q · k / √d), averaged over words and heads. q and k are the last layer's projections of the *final* hidden
 * states, without rotation: so the released code.
 * @param hidden (S, C) after the final norm
 * @param text (1, S) and image (1, S): see PromptParts
 */
export function promptMeans(
  graph: GraphBuilder,
  config: TextConfig,
  weights: WeightSource,
  length: number,
  { hidden, text, image }: { hidden: Value; text: Value; image: Value },
): { text: Value; image: Value } {
  const { layers, heads: H, kvHeads: K, headSize: d } = config;
  const S = length;
  const q = product(graph, weights, hidden, projection(config, layers - 1, 'q_proj')); // (S, H·d)
  const k = product(graph, weights, hidden, projection(config, layers - 1, 'k_proj')); // (S, K·d)
  const queries = graph.reshape(graph.transpose(graph.reshape(q, [S, H, d]), [1, 0, 2]), [K, -1, d]); // (K, R·S, d)
  const keys = graph.transpose(graph.reshape(k, [S, K, d]), [1, 2, 0]); // (K, d, S)
  const scores = graph.reshape(matMul(graph, queries, keys), [H, S, S]);
  const scaled = add(graph, mul(graph, scores, 1 / Math.sqrt(d)), image);
  const attention = graph.op('Softmax', [scaled], { axis: -1 }); // (H, S, S)
  const perToken = graph.reshape(mean(graph, attention, [0]), [S, S]);
  return {
    text: matMul(graph, text, hidden),
    image: matMul(graph, matMul(graph, text, perToken), hidden),
  };
}

/** The same of states that are there: inputs hidden (S, C), text (1, S), image (1, S); outputs r_txt, r_img (1, C). */
export function promptMeansGraph(config: TextConfig, weights: WeightSource, length: number): Uint8Array {
  const graph = new GraphBuilder('prompt means');
  const { hiddenSize: C } = config;
  const means = promptMeans(graph, config, weights, length, {
    hidden: graph.input('hidden', 'float32', [length, C]),
    text: graph.input('text', 'float32', [1, length]),
    image: graph.input('image', 'float32', [1, length]),
  });
  graph.output('r_txt', means.text, [1, C]);
  graph.output('r_img', means.image, [1, C]);
  return graph.build();
}

/**
 * The query of a block.
 * @param context u: what the question is about, mean of r_txt and r_img
 * @param text final hidden states of the assistant's text since the previous block
 * @param previous features selected for the previous block
 */
export function teacherQuery(
  context: Float32Array,
  text: readonly Float32Array[],
  previous: readonly Float32Array[] = [],
): Float32Array {
  return meanOf([context, ...[text, previous].filter(({ length }) => length > 0).map(meanOf)]);
}

/**
 * Positions of the assistant's text since the previous block, or since the turn began.
 * @param blocks index of the first pad of each; each has `latentSize` of them, and an end token
 */
export function textBefore(
  { blocks, turnStart }: { blocks: readonly number[]; turnStart: number },
  index: number,
  latentSize: number,
): number[] {
  const start = index === 0 ? turnStart : blocks[index - 1]! + latentSize + 1;
  const end = blocks[index]! - 1; // the start token
  return Array.from({ length: end - start }, (_, i) => start + i);
}
