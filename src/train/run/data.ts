/**
 * Samples by position in an endless sequence, which is a function of the config alone: a file in another
 * order each time through, or maps drawn as they are asked for.
 */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { UserError } from '../../base/errors.ts';
import { hashOf, seededNumbers } from '../../base/random.ts';
import { readSamples, type Sample } from '../../dataset/samples.ts';
import { checkMapOptions, mapItem, type MapOptions } from '../../mazes/stream.ts';
import type { Patches, Picture, PlanStep, TrainingSample } from '../sequence.ts';
import type { RunConfig } from './config.ts';
import { asImage, type PictureReader } from './pictures.ts';

export interface LocatedSample<P = Picture | Patches> {
  /** In the endless sequence. */
  position: number;
  /** File and line, or the number of the map. */
  where: string;
  sample: TrainingSample<P>;
}

export interface TrainingData {
  at: <P extends Picture | Patches>(
    position: number,
    pictures: PictureReader<P>,
  ) => Promise<LocatedSample<P>>;
}

/** @throws UserError with file and line for the first sample that cannot be learnt */
export async function openData({ data, stage, seed }: RunConfig): Promise<TrainingData> {
  return typeof data === 'string' ? fileData(data, stage, seed) : generatedData(data.generator, stage);
}

/** Tells files of other content apart; empty for drawn maps, whose options say everything. */
export async function dataHash({ data }: RunConfig): Promise<string> {
  if (typeof data !== 'string') return '';
  return createHash('sha256')
    .update(await readFile(data))
    .digest('hex');
}

async function fileData(file: string, stage: RunConfig['stage'], seed: number): Promise<TrainingData> {
  const samples: Sample[] = [];
  for await (const sample of readSamples(file)) {
    checkSample(sample, stage, `${file}:${sample.line}`);
    samples.push(sample);
  }
  checkCount(samples, file);
  const order = new Shuffle(samples.length, seed);
  return {
    at: async (position, pictures) => {
      const sample = samples[order.at(position)]!;
      const where = `${file}:${sample.line}`;
      return { position, where, sample: await located(where, () => withPictures(sample, stage, pictures)) };
    },
  };
}

export function checkCount({ length }: readonly unknown[], file: string): void {
  if (length === 0) throw new UserError({ problem: 'The samples file is empty', where: file });
}

/** What the rest of the sample goes wrong with only once it is read is told by its place too. */
export async function located<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const place = error.details.where === undefined ? where : `${error.details.where}, ${where}`;
    throw new UserError({ ...error.details, where: place }, { cause: error });
  }
}

/** @throws UserError with the sample's place if there is nothing to learn, or it does not say what each picture is for */
export function checkSample(
  { plan, question, images }: Sample,
  stage: RunConfig['stage'],
  where: string,
): void {
  if (plan === undefined || plan.length === 0) {
    throw new UserError({
      problem: 'This sample has no answer to learn',
      expected: 'sequence_plan with at least one step',
      where,
    });
  }
  const bare = plan.findIndex((step) => step.type === 'latent' && step.helperImage === undefined);
  if (stage === 1 && bare >= 0) {
    throw new UserError({
      problem: 'A latent step of this sample has no helper image',
      expected: 'helper_image, from which the teacher selects the targets of stage 1',
      found: `none in step ${bare + 1} of sequence_plan`,
      where,
      remedy: 'Add the picture, or train on this sample in stage 2 only.',
    });
  }
  const pads = question.split('<image>').length - 1;
  if (pads === images.length) return;
  throw new UserError({
    problem: 'This sample does not have one <image> per picture',
    expected: `${images.length} in text_input`,
    found: String(pads),
    where,
    remedy: 'Write <image> once for each picture.',
  });
}

/** Helper images are for the teacher of stage 1 only. */
async function withPictures<P extends Picture | Patches>(
  sample: Sample,
  stage: RunConfig['stage'],
  reader: PictureReader<P>,
): Promise<TrainingSample<P>> {
  const pictures: P[] = [];
  for (const file of sample.images) pictures.push(await reader.file(file));
  const plan: PlanStep<P>[] = [];
  for (const step of sample.plan!) {
    if (step.type === 'text') plan.push(step);
    else if (stage === 2 || step.helperImage === undefined) plan.push({ type: 'latent' });
    else plan.push({ type: 'latent', helper: await reader.file(step.helperImage) });
  }
  return { question: sample.question, pictures, plan };
}

function generatedData(options: MapOptions, stage: RunConfig['stage']): TrainingData {
  checkMapOptions(options);
  const kinds = options.questions.length + (options.alternate.length > 0 ? 1 : 0);
  return {
    at: async <P extends Picture | Patches>(position: number, pictures: PictureReader<P>) => {
      const item = mapItem(options, Math.floor(position / kinds));
      const { text, steps } = item.questions[position % kinds]!;
      const plan: PlanStep<P>[] = [];
      for (const step of steps) {
        if (step.type === 'text') plan.push(step);
        else if (stage === 2) plan.push({ type: 'latent' });
        else
          plan.push({ type: 'latent', helper: await pictures.read(asImage(item.drawHelper(step.player))) });
      }
      const sample = { question: text, pictures: [await pictures.read(asImage(item.picture))], plan };
      return { position, where: mapName(item.index), sample };
    },
  };
}

export const mapName = (index: number): string => `map ${index + 1} of the generator`;

/** Every index once in each time through, in an order of its own (Fisher and Yates). */
export class Shuffle {
  private readonly count: number;
  private readonly seed: number;
  private epoch = -1;
  private order: number[] = [];

  constructor(count: number, seed: number) {
    this.count = count;
    this.seed = seed;
  }

  at(position: number): number {
    const epoch = Math.floor(position / this.count);
    if (epoch !== this.epoch) this.shuffle(epoch);
    return this.order[position % this.count]!;
  }

  private shuffle(epoch: number): void {
    const random = seededNumbers(hashOf('order', this.seed, epoch));
    const order = Array.from({ length: this.count }, (_, i) => i);
    for (let last = order.length - 1; last > 0; last--) {
      const other = Math.floor(random() * (last + 1));
      [order[last], order[other]] = [order[other]!, order[last]!];
    }
    [this.epoch, this.order] = [epoch, order];
  }
}
