/** A step of a run: nothing moves unless every loss and the gradient are numbers. */

import type { LoraSettings } from '../lora.ts';
import type { GradientSum } from '../gradientSum.ts';
import { clipFactor, type AdamW } from '../optimiser.ts';
import type { ParameterSet } from '../parameters.ts';
import { learningRate } from '../schedule.ts';
import type { TrainingSettings } from '../trainer.ts';
import { notANumber, type Losses } from './learner.ts';
import type { Learning } from './pool.ts';

/** What a run goes on from: weights, moments and the number of steps, and the moving average if there is one. */
export interface TrainState {
  student: ParameterSet;
  teacher?: ParameterSet;
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
 * @param gradient where `learning` leaves it
 * @throws UserError if a number is not finite; weights and moments are then as before
 */
export async function checkedStep(
  { student, teacher, optimiser }: TrainState,
  learning: Learning,
  { schedule, clip: limit, stage, teacherDecay }: TrainingSettings,
  gradient: GradientSum,
): Promise<StepResult> {
  const step = optimiser.steps;
  const losses = await learning.learn(step);
  const whole = await gradient.whole();
  const gradientNorm = await whole.norm();
  if (!Number.isFinite(gradientNorm)) throw notANumber(`step ${step + 1}`, 'The gradient');
  const rate = learningRate(schedule, step);
  await optimiser.update(whole, rate, clipFactor(gradientNorm, limit));
  if (stage === 1 && teacher !== undefined && teacherDecay !== 'frozen')
    await teacher.blend(student, teacherDecay, 1 - teacherDecay);
  return { losses, gradientNorm, learningRate: rate };
}
