/**
 * The base phase, before there is any latent: the vision tower and the language model learn together to
 * read pictures and to answer in words, with gradient through both, and perception is supervised directly.
 *
 * Letters: P pictures, Q questions for each, B = P · Q sequences, S positions, C hidden size, V vocabulary.
 */

import type { ModelConfig } from '../../model/config.ts';
import { logitsOf } from '../../model/decoder.ts';
import type { PatchGrid } from '../../model/positions.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { add, div, mul, rows, sum } from '../../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../../onnx/graphBuilder.ts';
import { floats, floatTensor, intTensor, type Runtime, type Tensors } from '../../ort/session.ts';
import type { WeightRef } from '../../tensor/dtype.ts';
import { crossEntropy } from '../../onnx/losses.ts';
import type { GradientSum } from '../parameters/gradientSum.ts';
import type { ParameterSet } from '../parameters/parameters.ts';
import {
  perceptionAccuracy,
  perceptionFeeds,
  perceptionLoss,
  withPerceptionHead,
  type Accuracy,
  type PerceptionLabels,
  type Properties,
} from './perception.ts';
import { MAP_PROPERTIES } from './mapLabels.ts';
import { partFeeds, wholePart } from '../graphs/parts.ts';
import { opening, readPart } from '../graphs/decoder.ts';
import { IGNORED, type TrainingSequence } from '../data/sequence.ts';
import { SessionCache } from '../graphs/sessions.ts';
import { oneToken, PictureFeeds, readPictures, tokensOf, type PictureBatch } from '../graphs/tower.ts';
import { trainableGraph, weightsAskedBy } from '../graphs/trainable.ts';

/** A map's picture and what is asked about it. */
export interface BaseLesson {
  /** (patches, pixels per patch) */
  pixels: Float32Array;
  grid: PatchGrid;
  labels: PerceptionLabels;
  /** The same number for all lessons of a batch, whose pictures are of one size; none to learn perception alone. */
  sequences: readonly TrainingSequence[];
}

interface BaseLosses {
  /** Cross-entropy of the answers, mean over each sequence's learnt tokens; 0 without sequences. */
  text: number;
  /** Weighted sum over the properties, see perception.ts. */
  perception: number;
  /** Share of merged tokens whose property is told right. */
  accuracy: Accuracy;
}

interface BaseSize {
  pictures: PictureBatch;
  /** Q */
  questions: number;
  /** S */
  length: number;
}

export class BaseStudent {
  readonly parameters: ParameterSet;
  private readonly config: ModelConfig;
  private readonly sessions: SessionCache<BaseSize>;
  private readonly pictures: PictureFeeds;
  private readonly properties: Properties;

  constructor(
    config: ModelConfig,
    weights: WeightSource,
    parameters: ParameterSet,
    perceptionWeight: number,
    runtime: Runtime,
    properties: Properties = MAP_PROPERTIES,
  ) {
    this.config = config;
    this.parameters = parameters;
    this.properties = properties;
    this.pictures = new PictureFeeds(config.vision);
    const build = (size: BaseSize): Uint8Array =>
      baseGraph(config, weights, size, perceptionWeight, properties).build();
    this.sessions = new SessionCache(build, runtime);
  }

  /** Losses of a batch. Adds `scale` times the gradient of their sum to `gradient`. */
  async learn(lessons: readonly BaseLesson[], gradient: GradientSum, scale: number): Promise<BaseLosses> {
    const size = sizeOfBatch(lessons);
    const sequences = lessons.flatMap((lesson) => lesson.sequences);
    const session = await this.sessions.get(size);
    const feeds = {
      ...this.parameters.tensors(),
      scale: floatTensor(Float32Array.of(scale), [1, 1]),
      ...this.pictures.of(
        size.pictures,
        lessons.map(({ pixels }) => pixels),
      ),
      ...perceptionFeeds(
        this.properties,
        lessons.map(({ labels }) => labels),
        size.pictures.count,
      ),
      ...(size.questions > 0 && questionFeeds(this.config, sequences, size)),
    };
    const result = await gradient.run(session, feeds);
    return {
      text: size.questions > 0 ? floats(result['text'])[0]! : 0,
      perception: floats(result['perception'])[0]!,
      accuracy: perceptionAccuracy(
        this.properties,
        floats(result['perceived']),
        lessons.map(({ labels }) => labels),
      ),
    };
  }

  async release(): Promise<void> {
    await this.sessions.release();
  }
}

/** Longest sequence of a lesson. */
export function lengthOfLesson({ sequences }: BaseLesson): number {
  return Math.max(0, ...sequences.map(({ ids }) => ids.length));
}

/** What a batch's graph is built for. */
export function sizeOfBatch(lessons: readonly BaseLesson[]): BaseSize {
  const questions = lessons[0]!.sequences.length;
  return {
    pictures: { count: lessons.length, grid: lessons[0]!.grid },
    questions,
    length: questions === 0 ? 0 : wholePart(lessons.flatMap((lesson) => lesson.sequences)).size.text,
  };
}

/**
 * Inputs: scale (1, 1); pictures (see readPictures), perception labels (see perceptionLoss), sequences (see readPart);
 * picture_rows (B·S, 1), the merged token that stands at a position, or any; picture_keep (B·S, 1), 1 where
 * one stands, else 0; labels (B·S, 1), see crossEntropy; label_weights (B·S, 1).
 * Outputs: text, perception (1, 1); perceived; the gradient of scale · (text + weight · perception) for every weight.
 */
export function baseGraph(
  config: ModelConfig,
  source: WeightSource,
  { pictures, questions, length }: BaseSize,
  perceptionWeight: number,
  properties: Properties = MAP_PROPERTIES,
): GraphBuilder {
  return trainableGraph('base', withPerceptionHead(source), (graph, weights) => {
    const features = readPictures(graph, config.vision, weights, pictures);
    const tokens = tokensOf(config.vision, pictures);
    const perception = perceptionLoss(graph, weights, features, {
      tokens,
      width: config.vision.outputSize,
      properties,
    });
    graph.output('perception', perception, [1, 1]);
    let loss = mul(graph, perception, perceptionWeight);
    if (questions > 0) {
      const text = textLoss(graph, config, weights, features, pictures.count * questions, length);
      graph.output('text', text, [1, 1]);
      loss = add(graph, loss, text);
    }
    return { loss: mul(graph, loss, graph.input('scale', 'float32', [1, 1])) };
  });
}

/** The mean over sequences, each of which counts its learnt tokens alike. */
function textLoss(
  graph: GraphBuilder,
  config: ModelConfig,
  weights: WeightSource,
  features: Value,
  batch: number,
  length: number,
): Value {
  const part = opening(batch, length);
  const { hidden } = readPart(graph, config.text, weights, part, (_, [count, width]) => {
    const placed = rows(graph, features, graph.input('picture_rows', 'int64', [count, 1]), [width]);
    return mul(graph, placed, graph.input('picture_keep', 'float32', [count, 1]));
  });
  const count = batch * length;
  const logits = logitsOf(graph, config.text, weights, hidden); // (B·S, V)
  const ce = crossEntropy(graph, logits, graph.input('labels', 'int64', [count, 1]));
  const weighted = mul(graph, ce, graph.input('label_weights', 'float32', [count, 1]));
  return div(graph, sum(graph, weighted, [0, 1]), batch);
}

function questionFeeds(
  config: ModelConfig,
  sequences: readonly TrainingSequence[],
  { pictures, questions, length: S }: BaseSize,
): Tensors {
  const { text, tokens, vision } = config;
  const perPicture = tokensOf(vision, { ...pictures, count: 1 });
  const N = pictures.count * questions * S;
  const [places, labels] = [new BigInt64Array(N), new BigInt64Array(N)];
  const [keep, weights] = [new Float32Array(N), new Float32Array(N)];
  const inputs = sequences.map((sequence, b) => {
    const learnt = sequence.labels.filter((label) => label !== IGNORED).length;
    const pads = new Set<number>();
    sequence.ids.forEach((id, i) => {
      const row = b * S + i;
      if (id === tokens.imagePad) {
        places[row] = BigInt(Math.floor(b / questions) * perPicture + pads.size);
        keep[row] = 1;
        pads.add(i);
      }
      const next = sequence.labels[i + 1] ?? IGNORED;
      if (next === IGNORED) return;
      labels[row] = BigInt(row * text.vocabularySize + next);
      weights[row] = 1 / learnt;
    });
    return { ids: sequence.ids, positions: sequence.positions, fed: NOTHING, replaced: pads };
  });
  const { fed: _unused, ...feeds } = partFeeds(text, wholePart(sequences), inputs);
  return {
    ...feeds,
    picture_rows: intTensor(places, [N, 1]),
    picture_keep: floatTensor(keep, [N, 1]),
    labels: intTensor(labels, [N, 1]),
    label_weights: floatTensor(weights, [N, 1]),
  };
}

const NOTHING: ReadonlyMap<number, Float32Array> = new Map();

/** The tensors that the phase trains, in the order in which its graph asks for them. */
export function baseWeights(
  config: ModelConfig,
  source: WeightSource,
  withText: boolean,
  properties: Properties = MAP_PROPERTIES,
): ReadonlyMap<string, WeightRef> {
  const { vision } = config;
  return weightsAskedBy(withPerceptionHead(source), (graph, weights) => {
    const features = readPictures(graph, vision, weights, oneToken(vision));
    perceptionLoss(graph, weights, features, { tokens: 1, width: vision.outputSize, properties });
    if (withText) textLoss(graph, config, weights, features, 1, 1);
  }).learnt;
}
