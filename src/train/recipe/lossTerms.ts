/** What a lesson teaches at which of its positions, as inputs of a graph of losses, and the losses read from it. */

import type { TextConfig } from '../../model/config.ts';
import { floats, floatTensor, intTensor, type Tensors } from '../../ort/session.ts';
import { dot } from '../../tensor/array.ts';
import { padded, rowOf, type BatchPart } from '../graphs/parts.ts';
import { IGNORED, rowsOf, type TrainingSequence } from '../data/sequence.ts';
import type { LossSize } from './studentGraphs.ts';

interface Place {
  index: number;
}

/**
 * Each is predicted, or thought, by the position before it. A latent's misalignment counts with its weight; 1 unless
 * changes are weighed.
 */
export interface LossTerms {
  tokens: (Place & { id: number })[];
  /** With the vector that the position before a pad is aligned with. */
  latents: (Place & { target: Float32Array; weight: number })[];
}

/**
 * @param targets by block; without any, text alone is learnt
 * @param weighChanges whether a latent counts by how much its target differs from that at its place in the block before:
 *   else a copy of the picture before the move has nearly all of the alignment that there is
 */
export function lossTermsOf(
  { labels, blocks }: TrainingSequence,
  targets: readonly (readonly Float32Array[])[],
  weighChanges = false,
): LossTerms {
  return {
    tokens: labels.flatMap((id, index) => (id === IGNORED ? [] : [{ index, id }])),
    latents: blocks.flatMap((start, block) =>
      (targets[block] ?? []).map((target, i) => ({
        index: start + i,
        target,
        weight: weighChanges ? weightOfChange(target, targets[block - 1]?.[i]) : 1,
      })),
    ),
  };
}

/** Of a target that is as it was, and of one without a block before it: the few that change then decide. */
const [WEIGHT_SAME, WEIGHT_FIRST, WEIGHT_CHANGE] = [0.3, 0.4, 10];

function weightOfChange(target: Float32Array, before: Float32Array | undefined): number {
  if (before === undefined) return WEIGHT_FIRST;
  const product = (a: Float32Array, b: Float32Array): number => dot(a, 0, b, 0, a.length);
  const cosine = product(target, before) / Math.sqrt(product(target, target) * product(before, before));
  return WEIGHT_SAME + WEIGHT_CHANGE * (1 - cosine);
}

/** As many places for each lesson of the batch, so that few sizes occur. */
export function lossSize(
  part: BatchPart,
  lessons: readonly LossTerms[],
  { isRead, intoFed }: Pick<LossSize, 'isRead' | 'intoFed'>,
): LossSize {
  const most = (kind: keyof LossTerms): number =>
    Math.max(...lessons.map((lesson, b) => within<Place>(part, b, lesson[kind]).length));
  const { batch } = part.size;
  const latents = most('latents');
  return {
    part: part.size,
    labels: batch * padded(most('tokens'), 8),
    targets: latents === 0 ? 0 : batch * padded(latents, 8),
    isRead,
    intoFed,
  };
}

/**
 * Each lesson's losses weigh scale / their number in all its parts; padding weighs nothing.
 * @param noise is added to each number of the targets
 */
export function lossFeeds(
  config: TextConfig,
  part: BatchPart,
  lessons: readonly LossTerms[],
  size: LossSize,
  scale: number,
  noise: () => number,
): Tensors {
  return {
    ...labelFeeds(config.vocabularySize, part, lessons, size.labels, scale),
    ...(size.targets > 0 && targetFeeds(config.hiddenSize, part, lessons, size.targets, scale, noise)),
  };
}

function labelFeeds(
  vocabulary: number,
  part: BatchPart,
  lessons: readonly LossTerms[],
  count: number,
  scale: number,
): Tensors {
  const places = new BigInt64Array(count);
  const labels = BigInt64Array.from({ length: count }, (_, n) => BigInt(n * vocabulary));
  const weights = new Float32Array(count);
  lessons.forEach(({ tokens }, b) => {
    within(part, b, tokens).forEach(({ index, id }, i) => {
      const n = (b * count) / lessons.length + i;
      places[n] = BigInt(rowOf(part, b, index - 1));
      labels[n]! += BigInt(id);
      weights[n] = scale / tokens.length;
    });
  });
  return {
    label_rows: intTensor(places, [count, 1]),
    labels: intTensor(labels, [count, 1]),
    label_weights: floatTensor(weights, [count, 1]),
  };
}

function targetFeeds(
  width: number,
  part: BatchPart,
  lessons: readonly LossTerms[],
  count: number,
  scale: number,
  noise: () => number,
): Tensors {
  const places = new BigInt64Array(count);
  const targets = new Float32Array(count * width);
  const weights = new Float32Array(count);
  lessons.forEach(({ latents }, b) => {
    within(part, b, latents).forEach(({ index, target, weight }, i) => {
      const m = (b * count) / lessons.length + i;
      places[m] = BigInt(rowOf(part, b, index - 1));
      const row = targets.subarray(m * width, (m + 1) * width);
      for (let c = 0; c < width; c++) row[c] = target[c]! + noise();
      toUnit(row);
      weights[m] = (weight * scale) / latents.length;
    });
  });
  return {
    latent_rows: intTensor(places, [count, 1]),
    targets: floatTensor(targets, [count, width]),
    latent_weights: floatTensor(weights, [count, 1]),
  };
}

/** What a lesson costs. */
export interface LessonLosses {
  /** Cross-entropy, mean over the learnt tokens. */
  ce: number;
  /** Mean misalignment of the supervised latents; 0 without any. */
  alignment: number;
  /** Final hidden states by position; none if they were not wanted. */
  hidden: Float32Array[];
}

/** The lessons' losses, gathered part by part. */
export class LossReport {
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

  add(part: BatchPart, result: Tensors): void {
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

  losses(): LessonLosses[] {
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

/** Sum of each lesson's losses in this part. @param values one for each place */
function sumsOf(
  part: BatchPart,
  lessons: readonly LossTerms[],
  kind: keyof LossTerms,
  values: Float32Array,
): number[] {
  const each = values.length / lessons.length;
  return lessons.map((lesson, b) =>
    within<Place>(part, b, lesson[kind]).reduce((sum, _, i) => sum + values[b * each + i]!, 0),
  );
}

/** Those of a lesson's items whose position before lies in the part. */
function within<T extends Place>({ ranges }: BatchPart, lesson: number, items: readonly T[]): T[] {
  const { start, end } = ranges[lesson]!;
  return items.filter(({ index }) => start < index && index <= end);
}

function toUnit(vector: Float32Array): void {
  const length = Math.sqrt(dot(vector, 0, vector, 0, vector.length));
  for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! / length;
}
