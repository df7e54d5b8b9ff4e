/** A step of a run: nothing moves unless every loss and the gradient are numbers. */

import type { LoraSettings } from '../lora.ts';
import { clipFactor, normOf, type AdamW } from '../optimiser.ts';
import type { ParameterArray } from '../parameters.ts';
import { learningRate } from '../schedule.ts';
import type { TrainingSettings } from '../trainer.ts';
import { notANumber, type Losses } from './learner.ts';
import type { Learning } from './pool.ts';

/** What a run goes on from: weights, moments and the number of steps, and the moving average if there is one. */
export interface TrainState {
  student: ParameterArray;
  teacher?: ParameterArray;
  optimiser: AdamW;
  /** Where an adapter is trained in place of the weights. */
  lora?: LoraSettings;
}

export interface StepResult {
  /** Means over the samples, by name. */
  losses: Losses;
  /** Before clipping. */
  gradientNorm: number;
  learningRate: number;
}

/**
 * One update by the mean gradient of the step's samples.
 * @param gradient scratch of the parameters' layout
 * @throws UserError if a number is not finite; weights and moments are then as before
 */
export async function checkedStep(
  { student, teacher, optimiser }: TrainState,
  learning: Learning,
  { schedule, clip: limit, stage, teacherDecay }: TrainingSettings,
  gradient: ParameterArray,
): Promise<StepResult> {
  const step = optimiser.steps;
  const losses = await learning.learn(step, gradient);
  const gradientNorm = normOf(gradient);
  if (!Number.isFinite(gradientNorm)) throw notANumber(`step ${step + 1}`, 'The gradient');
  const rate = learningRate(schedule, step);
  optimiser.update(gradient, rate, clipFactor(gradientNorm, limit));
  if (stage === 1 && teacher !== undefined && teacherDecay !== 'frozen')
    teacher.follow(student, teacherDecay);
  return { losses, gradientNorm, learningRate: rate };
}
