/**
 * Samples by position in an endless sequence, which is a function of the settings alone: a file in another
 * order each time through, or maps drawn as they are asked for.
 */

import { UserError } from '../../base/errors.ts';
import { hashOf, seededNumbers } from '../../base/random.ts';
import { readSamples, type Sample } from '../../dataset/samples.ts';
import { fileHash } from '../../files/plainFile.ts';
import { checkMapOptions, questionAt, type MapOptions } from '../../mazes/stream.ts';
import type { Picture as DrawnPicture } from '../../mazes/picture.ts';
import { checkWorldOptions, worldItem, worldOf, type WorldOptions } from '../../worlds/stream.ts';
import type { State } from '../../worlds/world.ts';
import { drawnPicture, pictureIn, type PictureReader, type UnreadPicture } from './pictures.ts';
import type { Patches, Picture, PlanStep, TrainingSample } from './sequence.ts';

export interface DataSettings {
  /** A samples file, or maps or worlds drawn as they are needed. */
  data: string | { generator: MapOptions } | { worlds: WorldOptions };
  /** Folder that a samples file's paths to pictures count from; its own if absent. */
  pictures?: string | undefined;
  /** Of the orders of a file's samples. */
  seed: number;
}

/** A sample whose pictures are yet to be read. */
interface UnreadSample {
  /** File and line, or the number of the map. */
  where: string;
  question: string;
  pictures: readonly UnreadPicture[];
  plan: readonly PlanStep<UnreadPicture>[];
}

export interface SampleData {
  /** Which sample stands at a position of the endless sequence. */
  indexAt(position: number): number;
  /**
   * The sample of an index, from 0: in its file, or of all that is asked about drawn maps.
   * @throws UserError if there is none
   */
  sample(index: number): UnreadSample;
}

/**
 * @param helpers whether every latent step must have its picture
 * @throws UserError with file and line for the first sample that cannot be learnt
 */
export async function openData(
  settings: DataSettings,
  { helpers }: { helpers: boolean },
): Promise<SampleData> {
  const { data } = settings;
  if (typeof data === 'string') return fileData(data, settings, helpers);
  return 'worlds' in data ? worldData(data.worlds) : generatedData(data.generator);
}

/** Tells files of other content apart; empty for drawn maps, whose options say everything. */
export async function dataHash({ data }: Pick<DataSettings, 'data'>): Promise<string> {
  if (typeof data !== 'string') return '';
  return fileHash(data);
}

/**
 * Reads a sample's pictures.
 * @param helpers whether to read those of latent steps, which none but the teacher sees
 * @throws UserError with the sample's place if one cannot be read
 */
export async function readSample<P extends Picture | Patches>(
  { where, question, pictures: unread, plan: steps }: UnreadSample,
  reader: PictureReader<P>,
  { helpers }: { helpers: boolean },
): Promise<TrainingSample<P>> {
  return located(where, async () => {
    const pictures: P[] = [];
    for (const picture of unread) pictures.push(await reader.read(picture));
    const plan: PlanStep<P>[] = [];
    for (const step of steps) {
      if (step.type === 'text') plan.push(step);
      else if (!helpers || step.helper === undefined) plan.push({ type: 'latent' });
      else plan.push({ type: 'latent', helper: await reader.read(step.helper) });
    }
    return { question, pictures, plan };
  });
}

async function fileData(
  file: string,
  { pictures: root, seed }: DataSettings,
  helpers: boolean,
): Promise<SampleData> {
  const samples: Sample[] = [];
  for await (const sample of readSamples(file, { root })) {
    checkSample(sample, `${file}:${sample.line}`, { helpers });
    samples.push(sample);
  }
  checkCount(samples, file);
  const order = new Shuffle(samples.length, seed);
  return {
    indexAt: (position) => order.at(position),
    sample: (index) => unreadOf(samples[index] ?? noSuchSample(index, samples.length, file), file),
  };
}

function unreadOf({ line, question, images, plan }: Sample, file: string): UnreadSample {
  return {
    where: `${file}:${line}`,
    question,
    pictures: images.map(pictureIn),
    plan: (plan ?? []).map((step) => {
      if (step.type === 'text') return step;
      const [helper] = step.helpers;
      return { type: 'latent', ...(helper !== undefined && { helper: pictureIn(helper) }) };
    }),
  };
}

/** Positions always have one; an index that somebody asks to look at may not. */
function noSuchSample(index: number, count: number, file: string): never {
  throw new UserError({
    problem: 'There is no such sample to watch',
    expected: `a number from 0 to ${count - 1}`,
    found: String(index),
    where: file,
  });
}

function generatedData(options: MapOptions): SampleData {
  checkMapOptions(options);
  return {
    indexAt: (position) => position,
    sample: (index) => {
      const { item, question } = questionAt(options, index);
      return {
        where: mapName(item.index),
        question: question.text,
        pictures: [drawnPicture('map', () => item.picture)],
        plan: question.steps.map((step, i) => {
          if (step.type === 'text') return step;
          return {
            type: 'latent',
            helper: drawnPicture(`step ${i + 1}`, () => item.drawHelper(step.player)),
          };
        }),
      };
    },
  };
}

function worldData(options: WorldOptions): SampleData {
  checkWorldOptions(options);
  // The walks through a world follow one another, and come by the same states: each is drawn and looked at once.
  let shown: { world: number; pictures: Map<string, UnreadPicture> } | undefined;
  const pictureOf = (index: number, state: State, draw: (state: State) => DrawnPicture): UnreadPicture => {
    const world = worldOf(options, index);
    if (shown?.world !== world) shown = { world, pictures: new Map() };
    const key = JSON.stringify(state);
    const picture = shown.pictures.get(key) ?? drawnPicture(worldName(index), () => draw(state));
    shown.pictures.set(key, picture);
    return picture;
  };
  return {
    indexAt: (position) => position,
    sample: (index) => {
      const { question, world, drawHelper } = worldItem(options, index);
      return {
        where: worldName(index),
        question: question.text,
        pictures: [pictureOf(index, world.state, drawHelper)],
        plan: question.steps.map((step) =>
          step.type === 'text' ? step : { type: 'latent', helper: pictureOf(index, step.state, drawHelper) },
        ),
      };
    },
  };
}

export const worldName = (index: number): string => `world ${index + 1} of the generator`;

export const mapName = (index: number): string => `map ${index + 1} of the generator`;

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
  where: string,
  { helpers }: { helpers: boolean },
): void {
  if (plan === undefined || plan.length === 0) {
    throw new UserError({
      problem: 'This sample has no answer to learn',
      expected: 'sequence_plan with at least one step',
      where,
    });
  }
  const other = plan.findIndex((step) => step.type === 'latent' && step.helpers.length !== 1);
  const step = plan[other];
  if (helpers && step?.type === 'latent') {
    throw new UserError({
      problem: 'A latent step of this sample does not have one helper image',
      expected: 'one helper_image, from which the teacher selects the targets of stage 1',
      found: `${step.helpers.length === 0 ? 'none' : step.helpers.length} in step ${other + 1} of sequence_plan`,
      where,
      remedy: 'Give it one picture, or train on this sample in stage 2 only.',
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
