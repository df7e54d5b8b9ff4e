/** Lessons of any lengths and number, learnt in batches of similar ones. */

import type { GradientSum } from './gradientSum.ts';
import type { LearnSettings, Lesson, Losses, Stage, Student } from './student.ts';

export interface BatchSettings extends LearnSettings {
  /** Most lessons in one run of a graph; the rest accumulates. */
  batchSize: number;
}

/**
 * Writes `scale` times the gradient of Σ (ce + alignment) over the lessons into `gradient`.
 * @returns losses by lesson, in the order given
 */
export async function learnInBatches(
  student: Student,
  lessons: readonly Lesson[],
  settings: BatchSettings,
  gradient: GradientSum,
): Promise<Losses[]> {
  const losses = new Array<Losses>(lessons.length);
  gradient.clear();
  for (const batch of batchesOf(lessons, settings.stage, settings.batchSize)) {
    const picked = batch.map((index) => lessons[index]!);
    const results = await student.learn(picked, settings, gradient);
    results.forEach((result, i) => (losses[batch[i]!] = result));
  }
  return losses;
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
