/** A step of training: nothing moves unless every loss and the gradient are numbers. */

import { UserError } from '../base/errors.ts';
import type { GradientSum } from './parameters/gradientSum.ts';
import { AdamW, clipFactor } from './parameters/optimiser.ts';
import type { AdamWSettings, ParameterSet } from './parameters/parameters.ts';
import { learningRate, type Schedule } from './parameters/schedule.ts';

/** Of the recipe; the base phase comes before the first. */
export type Stage = 1 | 2;

/** What is learnt, and where; all in one residence. */
export interface LearntSets {
  readonly student: ParameterSet;
  /** The moving average, where the phase has one. */
  readonly teacher?: ParameterSet;
  /** Of what was learnt last. */
  readonly gradient: GradientSum;
}

/** What a run goes on from, but for the gradient: weights, moments, the number of steps and the moving average. */
export interface TrainState extends LearntSets {
  readonly optimiser: AdamW;
}

export interface StepSettings {
  stage: Stage;
  schedule: Schedule;
  /** Largest norm of the gradient. */
  clip: number;
  /** A step whose gradient is longer than this, or no number, teaches nothing; absent: every step does, and a gradient that is no number is an error. */
  skipAbove?: number | undefined;
  /** Of the teacher's moving average; 'frozen' keeps the model that training began with. Stage 2 does not move it either. */
  teacherDecay: number | 'frozen';
}

export interface StepResult<Losses> {
  losses: Losses;
  /** Before clipping. */
  gradientNorm: number;
  /** 0 where the step was left out. */
  learningRate: number;
  /** Its gradient was too long: nothing was learnt. */
  leftOut?: true;
}

/** Before the first step. The optimiser is the caller's to release. */
export async function openState(
  { student, teacher, gradient }: LearntSets,
  adamW: AdamWSettings,
): Promise<TrainState> {
  return { student, ...(teacher && { teacher }), gradient, optimiser: await AdamW.open(student, adamW) };
}

/**
 * One update by the mean gradient of the step's samples.
 * @param learn leaves that gradient in the state's; the step is counted from 0
 * @throws UserError if a number is not finite; weights and moments are then as before
 */
export async function trainStep<Losses>(
  { student, teacher, gradient, optimiser }: TrainState,
  learn: (step: number) => Promise<Losses>,
  { stage, schedule, clip, skipAbove, teacherDecay }: StepSettings,
): Promise<StepResult<Losses>> {
  const step = optimiser.steps;
  const losses = await learn(step);
  const whole = await gradient.whole();
  const gradientNorm = await whole.norm();
  if (skipAbove !== undefined && !(gradientNorm <= skipAbove)) {
    optimiser.skip();
    return { losses, gradientNorm, learningRate: 0, leftOut: true };
  }
  if (!Number.isFinite(gradientNorm)) throw notANumber(`step ${step + 1}`, 'The gradient');
  const rate = learningRate(schedule, step);
  await optimiser.update(whole, rate, clipFactor(gradientNorm, clip));
  if (stage === 1 && teacher !== undefined && teacherDecay !== 'frozen')
    await teacher.blend(student, teacherDecay, 1 - teacherDecay);
  return { losses, gradientNorm, learningRate: rate };
}

export function notANumber(where: string, what = 'The loss'): UserError {
  return new UserError({
    problem: `${what} is not a finite number`,
    where,
    remedy: 'Try a lower learning rate, or look at this sample; the state before it is kept.',
  });
}
