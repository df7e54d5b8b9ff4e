/**
 * What a step's share of the samples teaches: losses and gradient, whatever the phase. One learner serves
 * a run in its own process; with several workers each has one, and the shares' gradients are added.
 */

import { UserError } from '../../base/errors.ts';
import { hashOf, normalNumbers, seededNumbers } from '../../base/random.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { readTensor } from '../../checkpoint/formats/safetensors.ts';
import { Model } from '../../inference/model.ts';
import { BaseStudent, baseWeights, lengthOfLesson } from '../base/student.ts';
import { maskNumbers } from '../lora.ts';
import { GradientSum } from '../gradientSum.ts';
import { resident } from '../parameterBuffers.ts';
import { readParameters, type ParameterSet } from '../parameters.ts';
import { isHead } from '../base/perception.ts';
import type { Patches, Picture } from '../sequence.ts';
import type { Runtime } from '../sessions.ts';
import type { Lesson } from '../student.ts';
import { Trainer } from '../trainer.ts';
import { trainingSettings, type RunConfig } from './config.ts';
import { located, openData, type LocatedSample, type TrainingData } from './data.ts';
import { openMaps, type LocatedLesson, type MapData } from './lessons.ts';
import { featureReader, patchReader, type PictureReader } from './pictures.ts';
import { readHead } from './savedState.ts';

/** Means over a share's samples, by name. */
export type Losses = Record<string, number>;

export interface Learner<Drawn = unknown> {
  /** What is trained. */
  readonly student: ParameterSet;
  /** The moving average, where the phase has one. */
  readonly teacher?: ParameterSet;
  /** Of what was learnt last. */
  readonly gradient: GradientSum;
  /** What a sample can be looked at with, where the phase has latents. */
  readonly recipe?: Recipe;
  /** Prepares samples as far as no weights matter: what is drawn ahead is not lost. */
  draw(positions: readonly number[]): Promise<Drawn>;
  /**
   * Writes the gradient of `scale` times the sum of the samples' losses into `gradient`.
   * @param step counted from 0
   * @throws UserError naming the sample whose loss is not a number
   */
  learn(drawn: Drawn, step: number, scale: number): Promise<Losses>;
  release(): Promise<void>;
}

interface Recipe {
  trainer: Trainer;
  pictures: PictureReader<Picture | Patches>;
}

/** The learner of a config's phase. */
export async function openLearner(config: RunConfig, base: Checkpoint, runtime: Runtime): Promise<Learner> {
  return typeof config.stage === 'number'
    ? RecipeLearner.open(config, base, runtime)
    : BaseLearner.open(config, base, runtime);
}

/** As it was trained; anew where there is none, or one that told other properties. */
function headOf(trained: Float32Array | undefined, length: number): Float32Array {
  return trained?.length === length ? trained : new Float32Array(length);
}

const isAsked = ({ lesson }: LocatedLesson): boolean => lesson.sequences.length > 0;

/** Perception alone, or with language. */
class BaseLearner implements Learner<LocatedLesson[]> {
  readonly student: ParameterSet;
  readonly gradient: GradientSum;
  private readonly learns: BaseStudent;
  private readonly data: MapData;
  private readonly config: RunConfig;

  private constructor(config: RunConfig, data: MapData, student: BaseStudent, gradient: GradientSum) {
    this.config = config;
    this.data = data;
    this.learns = student;
    this.student = student.parameters;
    this.gradient = gradient;
  }

  static async open(config: RunConfig, base: Checkpoint, runtime: Runtime): Promise<BaseLearner> {
    const data = await openMaps(config, base);
    const refs = baseWeights(base.config, base.weights, config.stage === 'base');
    const head = await readHead(base.folder);
    const values = await readParameters(refs, async (ref, name) =>
      isHead(name) ? headOf(head.get(name), ref.length / 4) : readTensor(ref),
    );
    const parameters = await resident(values, runtime);
    const student = new BaseStudent(base.config, base.weights, parameters, config.perceptionWeight, runtime);
    const gradient = new GradientSum(await parameters.zeros());
    return new BaseLearner(config, data, student, gradient);
  }

  async draw(positions: readonly number[]): Promise<LocatedLesson[]> {
    const lessons: LocatedLesson[] = [];
    for (const position of positions) lessons.push(await this.data.at(position));
    return lessons.toSorted((a, b) => lengthOfLesson(a.lesson) - lengthOfLesson(b.lesson));
  }

  async learn(lessons: LocatedLesson[], _step: number, scale: number): Promise<Losses> {
    const means = new Means(lessons.length);
    const asked = lessons.filter(isAsked).length;
    this.gradient.clear();
    for (const batch of alike(lessons, this.config.microBatch)) {
      const { text, perception, accuracy } = await this.learns.learn(
        batch.map(({ lesson }) => lesson),
        this.gradient,
        scale * batch.length,
      );
      if (!Number.isFinite(text + perception)) throw notANumber(batch.map(({ where }) => where).join(', '));
      const wrong = Object.entries(accuracy).map(([name, share]) => [`wrong.${name}`, 1 - share]);
      means.add({ perception, ...Object.fromEntries(wrong) }, batch.length);
      // Galleries have no words: the mean is over maps.
      if (isAsked(batch[0]!)) means.add({ ce: text }, (batch.length * lessons.length) / asked);
    }
    return means.values;
  }

  async release(): Promise<void> {
    await this.learns.release();
    await this.gradient.release();
    await this.student.release();
  }
}

/** Stage 1 and 2 of the recipe. */
class RecipeLearner implements Learner<LocatedSample[]> {
  readonly student: ParameterSet;
  readonly teacher: ParameterSet;
  readonly gradient: GradientSum;
  readonly recipe: Recipe;
  private readonly data: TrainingData;
  private readonly config: RunConfig;
  /** With the frozen tower. */
  private readonly model: Model | undefined;

  private constructor(config: RunConfig, data: TrainingData, recipe: Recipe, model: Model | undefined) {
    this.config = config;
    this.data = data;
    this.recipe = recipe;
    this.model = model;
    const { trainer } = recipe;
    this.student = trainer.student.parameters;
    this.teacher = trainer.teacher.parameters;
    this.gradient = trainer.gradient;
  }

  static async open(config: RunConfig, base: Checkpoint, runtime: Runtime): Promise<RecipeLearner> {
    if (base.config.latentReach !== undefined && config.stage === 1) throw controlInStage1();
    const data = await openData(config);
    const settings = trainingSettings(config);
    const model = settings.vision === 'frozen' ? await Model.open(base, runtime.provider) : undefined;
    const pictures = model === undefined ? patchReader(base.processor) : featureReader(model);
    try {
      const trainer = await Trainer.open(base, settings, runtime);
      return new RecipeLearner(config, data, { trainer, pictures }, model);
    } catch (error) {
      await model?.release();
      throw error;
    }
  }

  async draw(positions: readonly number[]): Promise<LocatedSample[]> {
    const samples: LocatedSample[] = [];
    for (const position of positions) samples.push(await this.data.at(position, this.recipe.pictures));
    return samples;
  }

  async learn(samples: LocatedSample[], step: number, scale: number): Promise<Losses> {
    const { trainer } = this.recipe;
    const lessons: Lesson[] = [];
    for (const { where, sample } of samples)
      lessons.push(await located(where, () => trainer.prepare(sample)));
    const share = samples[0]!.position;
    const learnt = await trainer.learn(lessons, {
      noise: noiseOf(this.config, step, share),
      dropout: dropoutOf(this.config, step, share),
      scale,
      hidden: false,
    });
    const means = new Means(samples.length);
    learnt.losses.forEach(({ ce, alignment }, i) => {
      if (!Number.isFinite(ce + alignment)) throw notANumber(samples[i]!.where);
      means.add({ ce, alignment }, 1);
    });
    return means.values;
  }

  async release(): Promise<void> {
    await Promise.all([this.recipe.trainer.release(), this.model?.release()]);
  }
}

function controlInStage1(): UserError {
  return new UserError({
    problem: 'A control model (latentReach) cannot be trained in stage 1',
    expected: 'stage 2, in which it reads its own latents through the mask',
    remedy: 'Set "stage" to 2.',
  });
}

/** N(0, noise²): a function of seed, step and share, so that a resumed run needs no state. */
function noiseOf({ noise, seed }: RunConfig, step: number, share: number): () => number {
  const normal = normalNumbers(hashOf('noise', seed, step, share));
  return () => (noise === 0 ? 0 : noise * normal());
}

/** What the inputs of an adapter are multiplied by; like the noise, a function of seed, step and share. */
function dropoutOf({ lora, seed }: RunConfig, step: number, share: number): () => number {
  return maskNumbers(lora?.dropout ?? 0, seededNumbers(hashOf('dropout', seed, step, share)));
}

/** Weighted means of named numbers. */
export class Means {
  readonly values: Losses = {};
  private readonly total: number;

  constructor(total: number) {
    this.total = total;
  }

  add(values: Losses, count: number): void {
    for (const [name, value] of Object.entries(values))
      this.values[name] = (this.values[name] ?? 0) + (value * count) / this.total;
  }
}

/** At most `size` together, of pictures of one size and with as many questions. */
function alike(lessons: readonly LocatedLesson[], size: number): LocatedLesson[][] {
  const open = new Map<string, LocatedLesson[]>();
  const batches: LocatedLesson[][] = [];
  for (const each of lessons) {
    const { grid, sequences } = each.lesson;
    const key = [grid.height, grid.width, sequences.length].join();
    const batch = open.get(key);
    if (batch !== undefined && batch.length < size) batch.push(each);
    else {
      const begun = [each];
      batches.push(begun);
      open.set(key, begun);
    }
  }
  return batches;
}

export function notANumber(where: string, what = 'The loss'): UserError {
  return new UserError({
    problem: `${what} is not a finite number`,
    where,
    remedy: 'Try a lower learning rate, or look at this sample; the state before it is kept.',
  });
}
