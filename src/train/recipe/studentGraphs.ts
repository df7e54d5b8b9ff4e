/** The student's graphs: a part read forward, and the losses of a part with their gradient. */

import { add, mul, rows, sum } from '../../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../../onnx/graphBuilder.ts';
import type { TextConfig } from '../../model/config.ts';
import { logitsOf } from '../../model/decoder.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { gradientName } from '../parameters/gradientSum.ts';
import { crossEntropy, misalignment } from '../../onnx/losses.ts';
import { opening, readPart, slotsOf, type Part, type PartRead } from '../graphs/decoder.ts';
import { trainableGraph, weightsAskedBy, type AskedWeights, type Wanted } from '../graphs/trainable.ts';

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
  return trainableGraph('part', source, (graph, weights) => {
    const { hidden, keysAndValues } = readPart(graph, config, weights, part);
    graph.output('hidden', hidden, hiddenShape(config, part));
    graph.output('keys_values', keysAndValues, memoryShape(config, part));
  });
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
  const { part, isRead, intoFed } = size;
  return trainableGraph('losses', source, (graph, weights) => {
    const read = readPart(graph, config, weights, part);
    const { hidden, keysAndValues } = read;
    graph.output('hidden', hidden, hiddenShape(config, part));
    let loss = ownLosses(graph, config, weights, hidden, size);
    if (isRead) {
      const back = (name: string, value: Value, shape: readonly number[]): Value => {
        const sentBack = graph.input(gradientName(name), 'float32', shape);
        const [x, g] = [value, sentBack].map((each) => graph.reshape(each, [-1, shape.at(-1)!]));
        return weighted(graph, x!, g!);
      };
      loss = add(graph, loss, back('hidden', hidden, hiddenShape(config, part)));
      loss = add(graph, loss, back('keys_values', keysAndValues, memoryShape(config, part)));
    }
    return { loss, others: sentOn(config, part, read, intoFed) };
  });
}

/** Σ weight · loss of what the part itself teaches. */
function ownLosses(
  graph: GraphBuilder,
  config: TextConfig,
  weights: WeightSource,
  hidden: Value,
  { labels: N, targets: M }: LossSize,
): Value {
  const { hiddenSize: C } = config;
  const predicting = rows(graph, hidden, graph.input('label_rows', 'int64', [N, 1]), [C]); // (N, C)
  const logits = logitsOf(graph, config, weights, predicting); // (N, V)
  const ce = crossEntropy(graph, logits, graph.input('labels', 'int64', [N, 1]));
  graph.output('cross_entropy', ce, [N, 1]);
  const loss = weighted(graph, ce, graph.input('label_weights', 'float32', [N, 1]));
  if (M === 0) return loss;
  const thinking = rows(graph, hidden, graph.input('latent_rows', 'int64', [M, 1]), [C]); // (M, C)
  const apart = misalignment(graph, thinking, graph.input('targets', 'float32', [M, C]));
  graph.output('misalignment', apart, [M, 1]);
  return add(graph, loss, weighted(graph, apart, graph.input('latent_weights', 'float32', [M, 1])));
}

/** The inputs of a part whose gradient goes on to the part before or into the pictures. */
function sentOn(config: TextConfig, part: Part, { inputs, fed }: PartRead, intoFed: boolean): Wanted[] {
  if (inputs !== undefined) {
    const past = memoryShape(config, part).with(2, part.past);
    return [
      { name: 'past', shape: past, value: inputs.past },
      { name: 'before', shape: [part.batch, config.hiddenSize], value: inputs.before },
    ];
  }
  return intoFed && fed !== undefined ? [{ name: 'fed', shape: hiddenShape(config, part), value: fed }] : [];
}

/** The tensors that the language model consists of, in the order in which it asks for them. */
export function languageModelWeights(config: TextConfig, source: WeightSource): AskedWeights {
  return weightsAskedBy(source, (graph, weights) =>
    logitsOf(graph, config, weights, readPart(graph, config, weights, opening(1, 1)).hidden),
  );
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
