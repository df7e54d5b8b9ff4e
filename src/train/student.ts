/**
 * The student: losses of samples and their gradient, forward and backward as one graph.
 *
 * Stage 1 reads the teacher's targets at the latents and learns text and alignment; stage 2 reads its
 * own hidden states there, with gradient through the recurrence, and learns text alone.
 *
 * Letters: B sequences, S positions, N learnt tokens, M supervised latents, C hidden size, V vocabulary.
 */

import { add, mul, rows, sum } from '../onnx/arithmetic.ts';
import { foldSums } from '../onnx/foldSums.ts';
import { gradients } from '../onnx/gradient.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import type { ModelConfig, TextConfig } from '../model/config.ts';
import { logitsOf } from '../model/decoder.ts';
import type { WeightSource } from '../model/weightSource.ts';
import { floats, floatTensor, intTensor } from '../ort/session.ts';
import type { WeightRef } from '../tensor/dtype.ts';
import { padded, sequenceFeeds, type Feeds } from './feeds.ts';
import { crossEntropy, misalignment } from './losses.ts';
import { TrainableWeights, type ParameterArray } from './parameters.ts';
import { lengthOf, readSequences, unrolled, whole, type Layout } from './reading.ts';
import { IGNORED, pictureVectors, rowsOf, type TrainingSample, type TrainingSequence } from './sequence.ts';
import { SessionCache, type Runtime } from './sessions.ts';

export type Stage = 1 | 2;

/** A sample with its sequence and, for stage 1, the targets of each block. */
export interface Lesson {
  sample: TrainingSample;
  sequence: TrainingSequence;
  /** By block: at most K vectors (C). Pads beyond them keep the pad's embedding. */
  targets: readonly (readonly Float32Array[])[];
}

export interface Losses {
  /** Cross-entropy, mean over the learnt tokens. */
  ce: number;
  /** Mean misalignment of the supervised latents; 0 without any. */
  alignment: number;
  /** Final hidden states by position. */
  hidden: Float32Array[];
}

export class Student {
  readonly parameters: ParameterArray;
  private readonly config: ModelConfig;
  private readonly sessions: SessionCache<StudentSize>;
  /** A gradient that is yet to be added to another; made when first needed. */
  private fetched: ParameterArray | undefined;

  constructor(config: ModelConfig, weights: WeightSource, parameters: ParameterArray, runtime: Runtime) {
    this.config = config;
    this.parameters = parameters;
    const build = (size: StudentSize): Uint8Array => studentGraph(config.text, weights, size).build();
    this.sessions = new SessionCache(build, runtime);
  }

  /**
   * Losses of a batch, and `scale` times the gradient of Σ (ce + alignment) over its lessons.
   * @param lessons of one length in stage 1 and of one layout in stage 2 (see layoutOf)
   * @param gradient the gradient is added to it or, with `mode` 'set', written into it
   * @param noise N(0, 1) numbers times its size are added to the targets that are aligned with
   */
  async learn(
    lessons: readonly Lesson[],
    stage: Stage,
    gradient: ParameterArray,
    scale: number,
    noise: () => number = () => 0,
    mode: 'add' | 'set' = 'add',
  ): Promise<Losses[]> {
    const { text, tokens } = this.config;
    const size = sizeOfBatch(this.config, lessons, stage);
    const S = lengthOf(size.layout);
    const labels = lessons.map(({ sequence }) => learntTokens(sequence));
    const latents = lessons.map((lesson) => supervisedLatents(lesson, stage));
    const inputs = lessons.map(({ sample, sequence }, b) => ({
      ...sequence,
      fed: new Map([
        ...pictureVectors(sequence.ids, tokens.imagePad, sample.pictures),
        ...latents[b]!.map(({ index, target }) => [index, target] as const),
      ]),
    }));
    const session = await this.sessions.get(size);
    const feeds = {
      ...this.parameters.tensors(),
      ...sequenceFeeds(text, size.layout, inputs),
      ...labelFeeds(labels, size.labels, S, text.vocabularySize, scale),
      ...(size.latents > 0 && latentFeeds(latents, size.latents, S, text.hiddenSize, scale, noise)),
    };
    const target = mode === 'set' ? gradient : (this.fetched ??= gradient.zeros());
    const result = await session.run(feeds, target.tensors(gradientName));
    if (mode === 'add') gradient.add(target);
    const ce = sharesOf(labels, floats(result['cross_entropy']));
    const alignment = sharesOf(latents, size.latents > 0 ? floats(result['misalignment']) : []);
    const hidden = rowsOf({ shape: [lessons.length * S, text.hiddenSize], data: floats(result['hidden']) });
    return lessons.map(({ sequence }, b) => ({
      ce: meanOf(ce[b]!),
      alignment: meanOf(alignment[b]!),
      hidden: hidden.slice(b * S, b * S + sequence.ids.length),
    }));
  }

  async release(): Promise<void> {
    await this.sessions.release();
  }
}

/** What a student's graph is built for. */
export interface StudentSize {
  layout: Layout;
  /** N */
  labels: number;
  /** M; 0 for a graph without alignment */
  latents: number;
}

/** The lengths of a lesson's graph; lessons of equal layout can be learnt in one batch. */
export function layoutOf({ latentSize }: ModelConfig, { sequence }: Lesson, stage: Stage): Layout {
  const S = padded(sequence.ids.length);
  return stage === 1 ? whole(1, S) : unrolled(1, S, sequence.blocks, latentSize);
}

/** @param lessons of equal layout */
export function sizeOfBatch(config: ModelConfig, lessons: readonly Lesson[], stage: Stage): StudentSize {
  const count = (items: (lesson: Lesson) => unknown[]): number => lessons.flatMap(items).length;
  return {
    layout: { ...layoutOf(config, lessons[0]!, stage), batch: lessons.length },
    labels: padded(count(({ sequence }) => learntTokens(sequence))),
    latents: padded(
      count((lesson) => supervisedLatents(lesson, stage)),
      8,
    ),
  };
}

const gradientName = (name: string): string => `gradient.${name}`;

/**
 * Inputs: sequences (see readSequences); label_rows (N, 1), the positions that predict; labels (N, 1), see
 * crossEntropy; label_weights (N, 1); if M > 0 latent_rows (M, 1), targets (M, C) of length 1, latent_weights (M, 1).
 * Outputs: hidden (B·S, C); cross_entropy (N, 1); misalignment (M, 1); the gradient of their weighted sum
 * with respect to every weight.
 */
export function studentGraph(config: TextConfig, source: WeightSource, size: StudentSize): GraphBuilder {
  const { hiddenSize: C } = config;
  const { layout, labels: N, latents: M } = size;
  const weights = new TrainableWeights(source);
  const graph = new GraphBuilder('student', { trainable: weights.inputOf });
  const hidden = readSequences(graph, config, weights, layout); // (B·S, C)
  graph.output('hidden', hidden, [layout.batch * lengthOf(layout), C]);

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
  const trained = [...weights.refs].map(([name, ref]) => ({ name, ref, value: graph.weight(ref) }));
  gradients(
    graph,
    loss,
    trained.map(({ value }) => value),
  ).forEach((value, i) => graph.output(gradientName(trained[i]!.name), value, trained[i]!.ref.shape));
  foldSums(graph);
  return graph;
}

/** Σ values · weights, (1, 1) */
function weighted(graph: GraphBuilder, values: Value, weights: Value): Value {
  return sum(graph, mul(graph, values, weights), [0, 1]);
}

/** The tensors that the language model consists of, in the order in which it asks for them. */
export function languageModelWeights(config: TextConfig, source: WeightSource): Map<string, WeightRef> {
  const weights = new TrainableWeights(source);
  const graph = new GraphBuilder('weights');
  logitsOf(graph, config, weights, readSequences(graph, config, weights, whole(1, 1)));
  return weights.refs;
}

interface LearntToken {
  /** Index of the position that predicts it. */
  row: number;
  id: number;
}

function learntTokens({ labels }: TrainingSequence): LearntToken[] {
  return labels.flatMap((id, i) => (id === IGNORED ? [] : [{ row: i - 1, id }]));
}

interface SupervisedLatent {
  /** Index of the pad; the position before it makes the latent. */
  index: number;
  target: Float32Array;
}

/** None in stage 2. */
function supervisedLatents({ sequence, targets }: Lesson, stage: Stage): SupervisedLatent[] {
  if (stage === 2) return [];
  return sequence.blocks.flatMap((start, block) =>
    targets[block]!.map((target, i) => ({ index: start + i, target })),
  );
}

/** Each lesson's tokens weigh scale / count; padding weighs nothing. */
function labelFeeds(
  lessons: readonly LearntToken[][],
  count: number,
  length: number,
  vocabulary: number,
  scale: number,
): Feeds {
  const [places, labels] = [new BigInt64Array(count), new BigInt64Array(count)];
  const weights = new Float32Array(count);
  let n = 0;
  lessons.forEach((tokens, b) => {
    for (const { row, id } of tokens) {
      places[n] = BigInt(b * length + row);
      labels[n] = BigInt(n * vocabulary + id);
      weights[n++] = scale / tokens.length;
    }
  });
  return {
    label_rows: intTensor(places, [count, 1]),
    labels: intTensor(labels, [count, 1]),
    label_weights: floatTensor(weights, [count, 1]),
  };
}

function latentFeeds(
  lessons: readonly SupervisedLatent[][],
  count: number,
  length: number,
  width: number,
  scale: number,
  noise: () => number,
): Feeds {
  const places = new BigInt64Array(count);
  const targets = new Float32Array(count * width);
  const weights = new Float32Array(count);
  let m = 0;
  lessons.forEach((latents, b) => {
    for (const { index, target } of latents) {
      places[m] = BigInt(b * length + index - 1);
      targets.set(unit(target.map((value) => value + noise())), m * width);
      weights[m++] = scale / latents.length;
    }
  });
  return {
    latent_rows: intTensor(places, [count, 1]),
    targets: floatTensor(targets, [count, width]),
    latent_weights: floatTensor(weights, [count, 1]),
  };
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** The values of each lesson, which stand one lesson after another. */
function sharesOf(lessons: readonly unknown[][], values: ArrayLike<number>): number[][] {
  let read = 0;
  return lessons.map((items) => items.map(() => values[read++]!));
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((total, value) => total + value, 0) / values.length;
}
