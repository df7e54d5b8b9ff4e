/** The student's graphs: a part read forward, and the losses of a part with their gradient. */

import { add, mul, rows, sum } from '../onnx/arithmetic.ts';
import { foldSums } from '../onnx/foldSums.ts';
import { foldViews } from '../onnx/foldViews.ts';
import { gradients } from '../onnx/gradient.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import type { TextConfig } from '../model/config.ts';
import { logitsOf } from '../model/decoder.ts';
import type { WeightSource } from '../model/weightSource.ts';
import { gradientName } from './gradientSum.ts';
import { crossEntropy, misalignment } from './losses.ts';
import { TrainableWeights } from './parameters.ts';
import { opening, readPart, slotsOf, type Part } from './reading.ts';

/** What a graph of losses is built for. */
export interface LossSize {
  part: Part;
  /** N learnt tokens */
  labels: number;
  /** M supervised latents; 0 for a graph without alignment */
  targets: number;
  /** Whether later parts read this one, so that gradients come back from them. */
  isRead: boolean;
  /** Whether the gradient of what an opening part is fed with is wanted: pictures of a tower that is trained. */
  intoFed: boolean;
}

/** Inputs: a part's (see readPart). Outputs: hidden (B·s, C); keys_values (2·L, B, s, G·d). */
export function partGraph(config: TextConfig, source: WeightSource, part: Part): GraphBuilder {
  const weights = new TrainableWeights(source);
  const graph = new GraphBuilder('part', { trainable: weights.inputOf });
  const { hidden, keysAndValues } = readPart(graph, config, weights, part);
  graph.output('hidden', hidden, hiddenShape(config, part));
  graph.output('keys_values', keysAndValues, memoryShape(config, part));
  foldViews(graph);
  foldSums(graph);
  return graph;
}

/**
 * Reads a part again, with its losses and the gradient of loss + Σ hidden · ∂hidden + Σ kv · ∂kv, where
 * ∂ are the gradients that later parts send back: so no part's inner values are held while others run.
 *
 * Inputs: a part's; label_rows (N, 1), the slots that predict; labels (N, 1), see crossEntropy;
 * label_weights (N, 1); if M > 0 latent_rows (M, 1), targets (M, C) of length 1, latent_weights (M, 1);
 * if later parts read it, gradient.hidden and gradient.keys_values, of the shapes of what they are of.
 * Outputs: hidden (B·s, C); cross_entropy (N, 1); misalignment (M, 1); the gradient with respect to
 * every weight that is learnt, of a later part to past and before, and of an opening one, if wanted, to fed.
 */
export function lossGraph(config: TextConfig, source: WeightSource, size: LossSize): GraphBuilder {
  const { hiddenSize: C } = config;
  const { part, labels: N, targets: M, isRead, intoFed } = size;
  const weights = new TrainableWeights(source);
  const graph = new GraphBuilder('losses', { trainable: weights.inputOf });
  const { hidden, keysAndValues, inputs, fed } = readPart(graph, config, weights, part);
  graph.output('hidden', hidden, hiddenShape(config, part));

  const predicting = rows(graph, hidden, graph.input('label_rows', 'int64', [N, 1]), [C]); // (N, C)
  const logits = logitsOf(graph, config, weights, predicting); // (N, V)
  const ce = crossEntropy(graph, logits, graph.input('labels', 'int64', [N, 1]));
  graph.output('cross_entropy', ce, [N, 1]);
  let loss = weighted(graph, ce, graph.input('label_weights', 'float32', [N, 1]));
  if (M > 0) {
    const thinking = rows(graph, hidden, graph.input('latent_rows', 'int64', [M, 1]), [C]); // (M, C)
    const apart = misalignment(graph, thinking, graph.input('targets', 'float32', [M, C]));
    graph.output('misalignment', apart, [M, 1]);
    loss = add(graph, loss, weighted(graph, apart, graph.input('latent_weights', 'float32', [M, 1])));
  }
  if (isRead) {
    const back = (name: string, value: Value, shape: readonly number[]): Value => {
      const sentBack = graph.input(gradientName(name), 'float32', shape);
      const [x, g] = [value, sentBack].map((each) => graph.reshape(each, [-1, shape.at(-1)!]));
      return weighted(graph, x!, g!);
    };
    loss = add(graph, loss, back('hidden', hidden, hiddenShape(config, part)));
    loss = add(graph, loss, back('keys_values', keysAndValues, memoryShape(config, part)));
  }
  const wanted = [...weights.refs].map(([name, ref]) => ({
    name,
    shape: ref.shape,
    value: graph.weight(ref),
  }));
  if (inputs !== undefined) {
    const past = memoryShape(config, part).with(2, part.past);
    wanted.push({ name: 'past', shape: past, value: inputs.past });
    wanted.push({ name: 'before', shape: [part.batch, C], value: inputs.before });
  }
  if (intoFed && fed !== undefined)
    wanted.push({ name: 'fed', shape: hiddenShape(config, part), value: fed });
  gradients(
    graph,
    loss,
    wanted.map(({ value }) => value),
  ).forEach((value, i) => graph.output(gradientName(wanted[i]!.name), value, wanted[i]!.shape));
  foldViews(graph);
  foldSums(graph);
  return graph;
}

/** The tensors that the language model consists of, in the order in which it asks for them. */
export function languageModelWeights(
  config: TextConfig,
  source: WeightSource,
): Pick<TrainableWeights, 'refs' | 'frozen'> {
  const weights = new TrainableWeights(source);
  const graph = new GraphBuilder('weights');
  logitsOf(graph, config, weights, readPart(graph, config, weights, opening(1, 1)).hidden);
  return weights;
}

/** (B·s, C) */
export function hiddenShape({ hiddenSize }: TextConfig, part: Part): number[] {
  return [part.batch * slotsOf(part), hiddenSize];
}

/** (2·L, B, s, G·d) */
export function memoryShape({ layers, kvHeads, headSize }: TextConfig, part: Part): number[] {
  return [2 * layers, part.batch, slotsOf(part), kvHeads * headSize];
}

/** Σ values · weights of matrices, (1, 1) */
function weighted(graph: GraphBuilder, values: Value, weights: Value): Value {
  return sum(graph, mul(graph, values, weights), [0, 1]);
}
