/** Learns the base phase: perception alone, or with language. */

import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { readTensor } from '../../checkpoint/formats/safetensors.ts';
import type { Runtime } from '../../ort/session.ts';
import { Means, type Learner, type Losses } from '../learner.ts';
import { resident } from '../parameters/buffers.ts';
import { GradientSum } from '../parameters/gradientSum.ts';
import { readParameters, type ParameterSet } from '../parameters/parameters.ts';
import { notANumber } from '../step.ts';
import { openMaps, type LessonSettings, type LocatedLesson, type MapData } from './lessons.ts';
import { isHead } from './perception.ts';
import { BaseStudent, baseWeights, lengthOfLesson } from './student.ts';

export interface BaseSettings extends LessonSettings {
  /** Of the loss of perception beside language. */
  perceptionWeight: number;
  /** Most maps in one run of the graph. */
  batchSize: number;
}

/** The perception head that was trained with a model, by the names of its tensors; empty where there is none. */
export type TrainedHead = ReadonlyMap<string, Float32Array>;

/** As it was trained; anew where there is none, or one that told other properties. */
function headOf(trained: Float32Array | undefined, length: number): Float32Array {
  return trained?.length === length ? trained : new Float32Array(length);
}

const isAsked = ({ lesson }: LocatedLesson): boolean => lesson.sequences.length > 0;

export class BaseLearner implements Learner<LocatedLesson[]> {
  readonly student: ParameterSet;
  readonly gradient: GradientSum;
  private readonly learns: BaseStudent;
  private readonly data: MapData;
  private readonly batchSize: number;

  private constructor(batchSize: number, data: MapData, student: BaseStudent, gradient: GradientSum) {
    this.batchSize = batchSize;
    this.data = data;
    this.learns = student;
    this.student = student.parameters;
    this.gradient = gradient;
  }

  /** @throws UserError with file and line for the first sample that cannot be learnt */
  static async open(
    checkpoint: Checkpoint,
    settings: BaseSettings,
    head: TrainedHead,
    runtime: Runtime,
  ): Promise<BaseLearner> {
    const { config, weights } = checkpoint;
    const { withText, perceptionWeight, batchSize } = settings;
    const data = await openMaps(settings, checkpoint);
    const values = await readParameters(
      baseWeights(config, weights, withText, data.properties),
      async (ref, name) => (isHead(name) ? headOf(head.get(name), ref.length / 4) : readTensor(ref)),
    );
    const parameters = await resident(values, runtime);
    const student = new BaseStudent(config, weights, parameters, perceptionWeight, runtime, data.properties);
    return new BaseLearner(batchSize, data, student, new GradientSum(await parameters.zeros()));
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
    for (const batch of alike(lessons, this.batchSize)) {
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
