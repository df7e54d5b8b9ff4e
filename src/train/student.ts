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

import type { ModelConfig, TextConfig } from '../model/config.ts';
import type { WeightSource } from '../model/weightSource.ts';
import type { GraphBuilder } from '../onnx/graphBuilder.ts';
import { floats, floatTensor, type RuntimeTensor } from '../ort/session.ts';
import { partFeeds, type Feeds, type Input } from './feeds.ts';
import { gradientName, type GradientSum } from './gradientSum.ts';
import { sizeOf } from '../tensor/array.ts';
import { maskFeeds, maskShapes } from './lora.ts';
import type { ParameterSet } from './parameters.ts';
import { partsAtBlocks, ROUNDED, rowOf, wholePart, type BatchPart, type Rounding } from './parts.ts';
import { slotsOf, type Part } from './reading.ts';
import { pictureVectors, rowsOf, type AnySample, type Picture, type TrainingSequence } from './sequence.ts';
import { SessionCache, type Runtime } from './sessions.ts';
import { SlotMemory } from './slotMemory.ts';
import { tokensOf } from './tower.ts';
import { hiddenShape, lossGraph, memoryShape, partGraph, type LossSize } from './studentGraphs.ts';
import { lossFeeds, lossSize, sumsOf, lossTermsOf, type LossTerms } from './lossTerms.ts';
import { asPatches, seenBy, type TrainedTower } from './trainedTower.ts';

export type Stage = 1 | 2;

/** A sample with its sequence and, for stage 1, the targets of each block. */
export interface Lesson {
  sample: AnySample;
  sequence: TrainingSequence;
  /** By block: at most K vectors (C). Pads beyond them keep the pad's embedding. */
  targets: readonly (readonly Float32Array[])[];
}

export interface Losses {
  /** Cross-entropy, mean over the learnt tokens. */
  ce: number;
  /** Mean misalignment of the supervised latents; 0 without any. */
  alignment: number;
  /** Final hidden states by position; none if they were not wanted. */
  hidden: Float32Array[];
}

export interface LearnSettings {
  stage: Stage;
  /** Of each lesson's gradient. */
  scale: number;
  /** N(0, 1) numbers times its size are added to the targets that are aligned with. */
  noise: () => number;
  /** What an adapter's inputs are multiplied by: see maskNumbers. */
  dropout: () => number;
  /** Whether hidden states are wanted: beside losses they are much to fetch from a GPU. */
  hidden: boolean;
}

type Outputs = Record<string, RuntimeTensor>;

export class Student {
  /** All that is learnt. */
  readonly parameters: ParameterSet;
  private readonly config: ModelConfig;
  private readonly frozen: ParameterSet;
  private readonly tower: TrainedTower | undefined;
  private readonly rounding: Rounding;
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
    runtime: Runtime,
    rounding = ROUNDED,
    tower?: TrainedTower,
  ) {
    const { text } = config;
    this.config = config;
    this.parameters = parameters;
    this.frozen = frozen;
    this.tower = tower;
    this.rounding = rounding;
    const built = (graph: GraphBuilder, part: Part): Uint8Array => {
      this.masks.set(JSON.stringify(part), maskShapes(graph));
      return graph.build();
    };
    this.readers = new SessionCache((part) => built(partGraph(text, weights, part), part), runtime);
    this.learners = new SessionCache((size) => built(lossGraph(text, weights, size), size.part), runtime);
  }

  /**
   * Losses of a batch, and `scale` times the gradient of Σ (ce + alignment) over its lessons.
   * @param lessons of any lengths; the closer they are, the less is padding
   * @param gradient the gradient is added to it
   */
  async learn(
    lessons: readonly Lesson[],
    { stage, scale, noise, dropout, hidden }: LearnSettings,
    gradient: GradientSum,
  ): Promise<Losses[]> {
    const { text, latentSize, latentReach } = this.config;
    const sequences = lessons.map(({ sequence }) => sequence);
    const terms = lessons.map(({ sequence, targets }) => lossTermsOf(sequence, stage === 1 ? targets : []));
    const pictures = await seenBy(
      this.tower,
      lessons.flatMap(({ sample }) => sample.pictures),
    );
    const inputs = inputsOf(lessons, terms, pictures, this.config);
    const intoFed = this.tower !== undefined && pictures.length > 0;
    const parts =
      stage === 1
        ? [wholePart(sequences, this.rounding)]
        : partsAtBlocks(sequences, latentSize, this.rounding);
    const memory = new SlotMemory(text, parts.at(-1)!.size, latentReach);
    const read = await this.readAhead(parts, inputs, memory, dropout);

    const report = new Report(terms);
    let sentBack: Feeds | undefined;
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

  async release(): Promise<void> {
    await Promise.all([this.readers.release(), this.learners.release(), this.tower?.release()]);
  }

  /** What flows back into the pictures that an opening part was fed with flows on into the tower. */
  private async learnToSee(
    lessons: readonly Lesson[],
    part: BatchPart,
    result: Outputs,
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
    inputs: readonly Input[],
    memory: SlotMemory,
    dropout: () => number,
  ): Promise<Feeds[]> {
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
  private drawMasks({ size }: BatchPart, dropout: () => number): Feeds {
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
  private sendBack(part: BatchPart, next: BatchPart, result: Outputs, memory: SlotMemory): Feeds {
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

/** @param pictures of all lessons, in their order */
function inputsOf(
  lessons: readonly Lesson[],
  terms: readonly LossTerms[],
  pictures: readonly Picture[],
  { tokens }: ModelConfig,
): Input[] {
  let used = 0;
  return lessons.map(({ sample, sequence }, b) => {
    const own = pictures.slice(used, (used += sample.pictures.length));
    const given = terms[b]!.latents.map(({ index, target }) => [index, target] as const);
    return { ...sequence, fed: new Map([...pictureVectors(sequence.ids, tokens.imagePad, own), ...given]) };
  });
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
function nothingSentBack(config: TextConfig, part: Part): Feeds {
  const zeros = (shape: number[]): RuntimeTensor => floatTensor(new Float32Array(sizeOf(shape)), shape);
  return {
    [gradientName('hidden')]: zeros(hiddenShape(config, part)),
    [gradientName('keys_values')]: zeros(memoryShape(config, part)),
  };
}

/** The lessons' losses, part by part. */
class Report {
  private readonly lessons: readonly LossTerms[];
  private readonly ce: number[];
  private readonly alignment: number[];
  private readonly hidden: Float32Array[][];

  constructor(lessons: readonly LossTerms[]) {
    this.lessons = lessons;
    this.ce = lessons.map(() => 0);
    this.alignment = lessons.map(() => 0);
    this.hidden = lessons.map(() => []);
  }

  add(part: BatchPart, result: Outputs): void {
    const { lessons } = this;
    sumsOf(part, lessons, 'tokens', floats(result['cross_entropy'])).forEach(
      (sum, b) => (this.ce[b]! += sum),
    );
    const apart = result['misalignment'];
    if (apart !== undefined)
      sumsOf(part, lessons, 'latents', floats(apart)).forEach((sum, b) => (this.alignment[b]! += sum));
    if (result['hidden'] === undefined) return;
    const { data, dims } = result['hidden'];
    const states = rowsOf({ shape: [...dims], data: data as Float32Array });
    part.ranges.forEach(({ start, end }, b) => {
      for (let i = start; i < end; i++) this.hidden[b]![i] = states[rowOf(part, b, i)]!;
    });
  }

  losses(): Losses[] {
    return this.lessons.map(({ tokens, latents }, b) => ({
      ce: mean(this.ce[b]!, tokens.length),
      alignment: mean(this.alignment[b]!, latents.length),
      hidden: this.hidden[b]!,
    }));
  }
}

function mean(sum: number, count: number): number {
  return count === 0 ? 0 : sum / count;
}
