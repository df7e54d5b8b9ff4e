/** Learns stages 1 and 2 of the recipe. */

import { UserError } from '../../base/errors.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { Model } from '../../inference/model.ts';
import type { Runtime } from '../../ort/session.ts';
import { featureReader, patchReader, type PictureReader } from '../data/pictures.ts';
import { located, openData, readSample, type DataSettings, type SampleData } from '../data/samples.ts';
import type { AnySample, Patches, Picture } from '../data/sequence.ts';
import { Means, type Learner, type Losses } from '../learner.ts';
import type { GradientSum } from '../parameters/gradientSum.ts';
import type { ParameterSet } from '../parameters/parameters.ts';
import { notANumber } from '../step.ts';
import type { LessonLosses } from './lossTerms.ts';
import type { Lesson } from './student.ts';
import { Trainer, type TrainingSettings } from './trainer.ts';

/** A sample of a step. */
interface DrawnSample {
  /** In the endless sequence. */
  position: number;
  /** File and line, or the number of the map. */
  where: string;
  sample: AnySample;
}

export class RecipeLearner implements Learner<DrawnSample[]> {
  readonly student: ParameterSet;
  readonly teacher: ParameterSet;
  readonly gradient: GradientSum;
  readonly trainer: Trainer;
  readonly data: SampleData;
  readonly pictures: PictureReader<Picture | Patches>;
  /** With the frozen tower. */
  private readonly model: Model | undefined;

  private constructor(
    trainer: Trainer,
    data: SampleData,
    model: Model | undefined,
    processor: Checkpoint['processor'],
  ) {
    this.trainer = trainer;
    this.data = data;
    this.model = model;
    this.pictures = model === undefined ? patchReader(processor) : featureReader(model);
    ({ student: this.student, teacher: this.teacher, gradient: this.gradient } = trainer.sets);
  }

  /** @throws UserError with file and line for the first sample that cannot be learnt */
  static async open(
    checkpoint: Checkpoint,
    settings: TrainingSettings,
    source: DataSettings,
    runtime: Runtime,
  ): Promise<RecipeLearner> {
    const { stage, vision } = settings;
    if (checkpoint.config.latentReach !== undefined && stage === 1) throw controlInStage1();
    const data = await openData(source, { helpers: stage === 1 });
    const model = vision === 'frozen' ? await Model.open(checkpoint, runtime.provider) : undefined;
    try {
      const trainer = await Trainer.open(checkpoint, settings, runtime);
      return new RecipeLearner(trainer, data, model, checkpoint.processor);
    } catch (error) {
      await model?.release();
      throw error;
    }
  }

  async draw(positions: readonly number[]): Promise<DrawnSample[]> {
    const helpers = this.trainer.settings.stage === 1;
    const samples: DrawnSample[] = [];
    for (const position of positions) {
      const unread = this.data.sample(this.data.indexAt(position));
      const sample = await readSample(unread, this.pictures, { helpers });
      samples.push({ position, where: unread.where, sample });
    }
    return samples;
  }

  async learn(samples: DrawnSample[], step: number, scale: number): Promise<Losses> {
    const means = new Means(samples.length);
    for (const { ce, alignment } of await learnSamples(this.trainer, samples, step, scale))
      means.add({ ce, alignment }, 1);
    return means.values;
  }

  async release(): Promise<void> {
    await Promise.all([this.trainer.release(), this.model?.release()]);
  }
}

/**
 * What each of a share's samples costs. The gradient of `scale` times their sum is then the trainer's.
 * @param step counted from 0
 * @throws UserError naming the sample whose loss is not a number
 */
export async function learnSamples(
  trainer: Trainer,
  samples: readonly DrawnSample[],
  step: number,
  scale: number,
): Promise<LessonLosses[]> {
  const lessons: Lesson[] = [];
  for (const { where, sample } of samples) lessons.push(await located(where, () => trainer.prepare(sample)));
  const share = samples[0]!.position;
  const { losses } = await trainer.learn(lessons, { step, share, scale, hidden: false });
  losses.forEach(({ ce, alignment }, i) => {
    if (!Number.isFinite(ce + alignment)) throw notANumber(samples[i]!.where);
  });
  return losses;
}

function controlInStage1(): UserError {
  return new UserError({
    problem: 'A control model (latentReach) cannot be trained in stage 1',
    expected: 'stage 2, in which it reads its own latents through the mask',
    remedy: 'Set "stage" to 2.',
  });
}
