/**
 * The student: losses of lessons and their gradient.
 *
 * Stage 1 reads the teacher's targets at the latents and learns text and alignment, each sequence in one
 * part. Stage 2 reads its own hidden states there, with gradient through the recurrence, and learns text
 * alone. It is cut at the blocks: forward over the parts, keeping their keys and values only, then back
 * over them in reverse, each read again. So one graph serves every block, whatever their number and places.
 *
 * Letters: B sequences, s slots of a part, C hidden size.
 */

import type { ModelConfig, TextConfig } from '../../model/config.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import type { GraphBuilder } from '../../onnx/graphBuilder.ts';
import { floats, floatTensor, type Runtime, type RuntimeTensor, type Tensors } from '../../ort/session.ts';
import { gradientName, type GradientSum } from '../parameters/gradientSum.ts';
import { dot, sizeOf } from '../../tensor/array.ts';
import { maskFeeds, maskShapes } from './lora.ts';
import type { ParameterSet } from '../parameters/parameters.ts';
import type { Stage } from '../step.ts';
import {
  partFeeds,
  partsAtBlocks,
  rowOf,
  wholePart,
  type BatchPart,
  type Rounding,
  type SequenceInput,
} from '../graphs/parts.ts';
import { slotsOf, type Part } from '../graphs/decoder.ts';
import { pictureVectors, type AnySample, type Picture, type TrainingSequence } from '../data/sequence.ts';
import { SessionCache } from '../graphs/sessions.ts';
import { SlotMemory } from './slotMemory.ts';
import { tokensOf } from '../graphs/tower.ts';
import { hiddenShape, lossGraph, memoryShape, partGraph, type LossSize } from './studentGraphs.ts';
import {
  lossFeeds,
  LossReport,
  lossSize,
  lossTermsOf,
  type LessonLosses,
  type LossTerms,
} from './lossTerms.ts';
import { asPatches, seenBy, type TrainedTower } from './trainedTower.ts';

/** A sample with its sequence and, for stage 1, the targets of each block. */
export interface Lesson {
  sample: AnySample;
  sequence: TrainingSequence;
  /** By block: at most K vectors (C). Pads beyond them keep the pad's embedding. */
  targets: readonly (readonly Float32Array[])[];
}

interface StudentSettings {
  stage: Stage;
  /** Most lessons in one run of a graph; the gradients of the rest accumulate. */
  batchSize: number;
  /** Of the lengths that graphs are built for. */
  rounding: Rounding;
  /** Length of the targets where they are fed; their own if absent. */
  targetLength?: number | undefined;
  /** How often the latents of stage 1 are read beforehand, each time fed with what the time before thought there. */
  ownPasses?: number | undefined;
  /** See lossTermsOf. */
  weighChanges?: boolean | undefined;
}

interface LearnSettings {
  /** Of each lesson's gradient. */
  scale: number;
  /** N(0, 1) numbers times its size are added to the targets that are aligned with. */
  noise: () => number;
  /** What an adapter's inputs are multiplied by: see maskNumbers. */
  dropout: () => number;
  /** Whether hidden states are wanted: beside losses they are much to fetch from a GPU. */
  hidden: boolean;
}

export class Student {
  /** All that is learnt. */
  readonly parameters: ParameterSet;
  private readonly config: ModelConfig;
  private readonly frozen: ParameterSet;
  private readonly tower: TrainedTower | undefined;
  private readonly settings: StudentSettings;
  private readonly readers: SessionCache<Part>;
  private readonly learners: SessionCache<LossSize>;
  /** Dropout's masks by part: whichever graph reads it, its layers take the same ones. */
  private readonly masks = new Map<string, ReturnType<typeof maskShapes>>();

  /**
   * @param frozen of the language model's weights those that are not learnt; none without an adapter
   * @param tower absent: pictures come as features
   */
  constructor(
    config: ModelConfig,
    weights: WeightSource,
    parameters: ParameterSet,
    frozen: ParameterSet,
    settings: StudentSettings,
    runtime: Runtime,
    tower?: TrainedTower,
  ) {
    const { text } = config;
    this.config = config;
    this.parameters = parameters;
    this.frozen = frozen;
    this.tower = tower;
    this.settings = settings;
    const built = (graph: GraphBuilder, part: Part): Uint8Array => {
      this.masks.set(JSON.stringify(part), maskShapes(graph));
      return graph.build();
    };
    this.readers = new SessionCache((part) => built(partGraph(text, weights, part), part), runtime);
    this.learners = new SessionCache((size) => built(lossGraph(text, weights, size), size.part), runtime);
  }

  /**
   * Writes `scale` times the gradient of Σ (ce + alignment) over the lessons into `gradient`.
   * @param lessons of any lengths and number
   * @returns losses by lesson, in the order given
   */
  async learn(
    lessons: readonly Lesson[],
    settings: LearnSettings,
    gradient: GradientSum,
  ): Promise<LessonLosses[]> {
    const { stage, batchSize } = this.settings;
    const losses = new Array<LessonLosses>(lessons.length);
    gradient.clear();
    for (const batch of batchesOf(lessons, stage, batchSize)) {
      const picked = batch.map((index) => lessons[index]!);
      const results = await this.learnBatch(picked, settings, gradient);
      results.forEach((result, i) => (losses[batch[i]!] = result));
    }
    return losses;
  }

  async release(): Promise<void> {
    await Promise.all([this.readers.release(), this.learners.release(), this.tower?.release()]);
  }

  /** Adds to the gradient. @param lessons the closer their lengths, the less is padding */
  private async learnBatch(
    lessons: readonly Lesson[],
    { scale, noise, dropout, hidden }: LearnSettings,
    gradient: GradientSum,
  ): Promise<LessonLosses[]> {
    const { text, latentSize, latentReach } = this.config;
    const { stage, rounding, targetLength, ownPasses = 0, weighChanges } = this.settings;
    const sequences = lessons.map(({ sequence }) => sequence);
    const terms = lessons.map(({ sequence, targets }) =>
      lossTermsOf(sequence, stage === 1 ? targets : [], weighChanges),
    );
    const pictures = await seenBy(
      this.tower,
      lessons.flatMap(({ sample }) => sample.pictures),
    );
    const inputs = inputsOf(lessons, terms, pictures, this.config, targetLength);
    const intoFed = this.tower !== undefined && pictures.length > 0;
    const parts =
      stage === 1 ? [wholePart(sequences, rounding)] : partsAtBlocks(sequences, latentSize, rounding);
    if (stage === 1)
      for (let pass = 0; pass < ownPasses; pass++) await this.feedOwn(parts[0]!, inputs, terms, dropout);
    const memory = new SlotMemory(text, parts.at(-1)!.size, latentReach);
    const read = await this.readAhead(parts, inputs, memory, dropout);

    const report = new LossReport(terms);
    let sentBack: Tensors | undefined;
    for (const [i, part] of [...parts.entries()].toReversed()) {
      const isRead = part.size.latents > 0 || i < parts.length - 1;
      const size = lossSize(part, terms, { isRead, intoFed: intoFed && i === 0 });
      const session = await this.learners.get(size);
      // The parts before the last were read with theirs.
      if (i === parts.length - 1) Object.assign(read[i]!, this.drawMasks(part, dropout));
      const inputsOfPart = {
        ...this.parameters.tensors(),
        ...this.frozen.tensors(),
        ...read[i],
        ...memory.feeds(part),
        ...lossFeeds(text, part, terms, size, scale, noise),
        ...(size.isRead && (sentBack ?? nothingSentBack(text, part.size))),
      };
      const result = await gradient.run(session, inputsOfPart, hidden ? [] : ['hidden']);
      report.add(part, result);
      if (i > 0) sentBack = this.sendBack(parts[i - 1]!, part, result, memory);
      else if (intoFed) await this.learnToSee(lessons, part, result, gradient);
    }
    return report.losses();
  }

  /**
   * Puts what the student thinks before each supervised latent in the target's place: all at once, where a run feeds them
   * one after another. So many passes as there are latents would be that run.
   */
  private async feedOwn(
    part: BatchPart,
    inputs: readonly (SequenceInput & { fed: Map<number, Float32Array> })[],
    terms: readonly LossTerms[],
    dropout: () => number,
  ): Promise<void> {
    const { text, latentReach } = this.config;
    const session = await this.readers.get(part.size);
    const { hidden } = await session.run({
      ...this.parameters.tensors(),
      ...this.frozen.tensors(),
      ...partFeeds(text, part, inputs, latentReach),
      ...this.drawMasks(part, dropout),
    });
    const states = floats(hidden);
    const C = text.hiddenSize;
    terms.forEach(({ latents }, b) => {
      for (const { index } of latents) {
        const row = rowOf(part, b, index - 1);
        inputs[b]!.fed.set(index, states.slice(row * C, (row + 1) * C));
      }
    });
  }

  /** What flows back into the pictures that an opening part was fed with flows on into the tower. */
  private async learnToSee(
    lessons: readonly Lesson[],
    part: BatchPart,
    result: Tensors,
    gradient: GradientSum,
  ): Promise<void> {
    const { text, tokens, vision } = this.config;
    const fed = floats(result[gradientName('fed')]);
    const sentBack = lessons.flatMap(({ sample, sequence: { ids } }, b) => {
      const pads = ids.flatMap((id, i) => (id === tokens.imagePad ? [i] : []));
      const counts = sample.pictures.map(({ grid }) => tokensOf(vision, { count: 1, grid }));
      return counts.map((count) => {
        const values = new Float32Array(count * text.hiddenSize);
        pads.splice(0, count).forEach((pad, n) => {
          const start = rowOf(part, b, pad) * text.hiddenSize;
          values.set(fed.subarray(start, start + text.hiddenSize), n * text.hiddenSize);
        });
        return values;
      });
    });
    const pictures = asPatches(lessons.flatMap(({ sample }) => sample.pictures));
    await this.tower!.learn(pictures, sentBack, gradient);
  }

  /** Reads all parts but the last forward. @returns by part, its inputs but for the memory's */
  private async readAhead(
    parts: readonly BatchPart[],
    inputs: readonly SequenceInput[],
    memory: SlotMemory,
    dropout: () => number,
  ): Promise<Tensors[]> {
    const feeds = parts.map((part) => partFeeds(this.config.text, part, inputs, this.config.latentReach));
    for (const [i, part] of parts.slice(0, -1).entries()) {
      const session = await this.readers.get(part.size);
      Object.assign(feeds[i]!, this.drawMasks(part, dropout));
      const result = await session.run({
        ...this.parameters.tensors(),
        ...this.frozen.tensors(),
        ...feeds[i],
        ...memory.feeds(part),
      });
      memory.write(part, floats(result['keys_values']));
      feeds[i + 1]!['before'] = this.lastStates(part, parts[i + 1]!, floats(result['hidden']));
    }
    return feeds;
  }

  /** Of a part for which a session is open. */
  private drawMasks({ size }: BatchPart, dropout: () => number): Tensors {
    return maskFeeds(this.masks.get(JSON.stringify(size))!, dropout);
  }

  /** hidden (B·s, C) → (B, C) of the tokens before the next part; zeros where there is none. */
  private lastStates(part: BatchPart, next: BatchPart, hidden: Float32Array): RuntimeTensor {
    const C = this.config.text.hiddenSize;
    const states = new Float32Array(part.size.batch * C);
    eachHandedOn(part, next, (b, row) => states.set(hidden.subarray(row * C, (row + 1) * C), b * C));
    return floatTensor(states, [part.size.batch, C]);
  }

  /** What a part's gradient sends back into the part before, as that one's inputs. */
  private sendBack(part: BatchPart, next: BatchPart, result: Tensors, memory: SlotMemory): Tensors {
    const C = this.config.text.hiddenSize;
    const rows = part.size.batch * slotsOf(part.size);
    const hidden = new Float32Array(rows * C);
    const before = floats(result[gradientName('before')]);
    eachHandedOn(part, next, (b, row) => hidden.set(before.subarray(b * C, (b + 1) * C), row * C));
    memory.addGradient(floats(result[gradientName('past')]));
    return {
      [gradientName('hidden')]: floatTensor(hidden, [rows, C]),
      [gradientName('keys_values')]: memory.gradientOf(part),
    };
  }
}

/** Indices of lessons of similar length, and in stage 2 of similar numbers of blocks, at most `size` together. */
export function batchesOf(
  lessons: readonly Pick<Lesson, 'sequence'>[],
  stage: Stage,
  size: number,
): number[][] {
  const keys = lessons.map(({ sequence: { ids, blocks } }) => [stage === 2 ? blocks.length : 0, ids.length]);
  const order = [...keys.keys()].toSorted(
    (a, b) => keys[a]![0]! - keys[b]![0]! || keys[a]![1]! - keys[b]![1]!,
  );
  return Array.from({ length: Math.ceil(order.length / size) }, (_, i) =>
    order.slice(i * size, (i + 1) * size),
  );
}

/** @param pictures of all lessons, in their order */
function inputsOf(
  lessons: readonly Lesson[],
  terms: readonly LossTerms[],
  pictures: readonly Picture[],
  { tokens }: ModelConfig,
  targetLength: number | undefined,
): (SequenceInput & { fed: Map<number, Float32Array> })[] {
  let used = 0;
  return lessons.map(({ sample, sequence }, b) => {
    const own = pictures.slice(used, (used += sample.pictures.length));
    const given = terms[b]!.latents.map(
      ({ index, target }) =>
        [index, targetLength === undefined ? target : ofLength(target, targetLength)] as const,
    );
    return { ...sequence, fed: new Map([...pictureVectors(sequence.ids, tokens.imagePad, own), ...given]) };
  });
}

/** The vector made so long. */
function ofLength(vector: Float32Array, length: number): Float32Array {
  const factor = length / Math.sqrt(dot(vector, 0, vector, 0, vector.length));
  return vector.map((value) => value * factor);
}

/** Visits the sequences that go on in the next part, with the row of their last token in this one. */
function eachHandedOn(
  part: BatchPart,
  next: BatchPart,
  visit: (sequence: number, row: number) => void,
): void {
  next.ranges.forEach(({ start, end }, b) => {
    if (end > start) visit(b, rowOf(part, b, start - 1));
  });
}

/** For the last part, whose graph is that of the blocks before it. */
function nothingSentBack(config: TextConfig, part: Part): Tensors {
  const zeros = (shape: number[]): RuntimeTensor => floatTensor(new Float32Array(sizeOf(shape)), shape);
  return {
    [gradientName('hidden')]: zeros(hiddenShape(config, part)),
    [gradientName('keys_values')]: zeros(memoryShape(config, part)),
  };
}
