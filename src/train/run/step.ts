/**
 * A step of a run. Nothing moves unless every loss is a number, and the noise is a function of seed
 * and step, so that a resumed run needs no state of a generator.
 */

import { UserError } from '../../base/errors.ts';
import { seededNumbers } from '../../base/random.ts';
import { hashOf } from '../../maps/chance.ts';
import { clip } from '../optimiser.ts';
import type { ParameterArray } from '../parameters.ts';
import { learningRate } from '../schedule.ts';
import type { Trainer, TrainingSettings } from '../trainer.ts';
import { located, type LocatedSample } from './data.ts';

export interface StepResult {
  /** Means over the samples. */
  losses: { ce: number; alignment: number };
  /** Before clipping. */
  gradientNorm: number;
  learningRate: number;
}

/**
 * One update by the mean gradient of the samples, each in a run of the graph of its own.
 * @param gradient scratch of the parameters' layout
 * @throws UserError naming the sample whose loss is not a number; weights and moments are then as before
 */
export async function checkedStep(
  trainer: Trainer,
  settings: TrainingSettings,
  samples: readonly LocatedSample[],
  gradient: ParameterArray,
): Promise<StepResult> {
  const { student, teacher, optimiser } = trainer;
  const { stage, teacherDecay } = settings;
  const step = optimiser.steps;
  const noise = noiseOf(settings, step);
  gradient.data.fill(0);
  let [ce, alignment] = [0, 0];
  for (const { where, sample } of samples) {
    const lesson = await located(where, () => trainer.prepare(sample));
    const [losses] = await student.learn([lesson], stage, gradient, 1 / samples.length, noise);
    if (!Number.isFinite(losses!.ce + losses!.alignment)) throw notANumber('The loss', where);
    ce += losses!.ce / samples.length;
    alignment += losses!.alignment / samples.length;
  }
  const gradientNorm = clip(gradient, settings.clip);
  if (!Number.isFinite(gradientNorm))
    throw notANumber('The gradient', samples.map(({ where }) => where).join(' or '));
  const rate = learningRate(settings.schedule, step);
  optimiser.update(gradient, rate);
  if (stage === 1 && teacherDecay !== 'frozen') teacher.follow(student.parameters, teacherDecay);
  return { losses: { ce, alignment }, gradientNorm, learningRate: rate };
}

/** N(0, noise²) by Box and Muller. */
function noiseOf({ noise, seed }: TrainingSettings, step: number): () => number {
  const uniform = seededNumbers(hashOf('noise', seed, step));
  return () =>
    noise === 0 ? 0 : noise * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

function notANumber(what: string, where: string): UserError {
  return new UserError({
    problem: `${what} is not a finite number`,
    where,
    remedy: 'Try a lower learning rate, or look at this sample; the state before it is kept.',
  });
}
