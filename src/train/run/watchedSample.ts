/** The sample that is watched: as the trainer reads it, and its helper pictures for people to see. */

import { createHash } from 'node:crypto';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { decodeImage, encodePng, type DecodedImage } from '../../checkpoint/pixels/decodeImage.ts';
import { readSamples, type Sample } from '../../dataset/samples.ts';
import { readPictureFile } from '../../files/pictureFile.ts';
import { mapItem, type MapOptions } from '../../mazes/stream.ts';
import type { PatchGrid } from '../../model/positions.ts';
import type { AnySample, Patches, Picture, PlanStep } from '../sequence.ts';
import { located, mapName } from './data.ts';
import type { RunConfig } from './config.ts';
import { asImage, type PictureReader } from './pictures.ts';

type Pictures = PictureReader<Picture | Patches>;

/** A helper picture of a latent block. */
export interface SeenPicture {
  grid: PatchGrid;
  /** Its file in watch/. */
  file: string;
  name: string;
  width: number;
  height: number;
  png: Uint8Array;
}

export interface WatchedSample {
  /** File and line, or the number of the map. */
  where: string;
  sample: AnySample;
  /** By latent block; absent where the block has none. */
  helpers: (SeenPicture | undefined)[];
}

/** Longest side of a stored picture: the panel shows it small. */
const MAX_SIDE = 512;

/** @throws UserError if the data has no such sample or its pictures cannot be read */
export async function readWatchedSample(
  { data }: Pick<RunConfig, 'data'>,
  index: number,
  reader: Pictures,
): Promise<WatchedSample> {
  return typeof data === 'string'
    ? fromFile(data, index, reader)
    : fromGenerator(data.generator, index, reader);
}

async function fromFile(file: string, index: number, reader: Pictures): Promise<WatchedSample> {
  const found = await sampleAt(file, index);
  const where = `${file}:${found.line}`;
  const read = async (picture: string): Promise<DecodedImage> =>
    decodeImage(await readPictureFile(picture), picture);
  return located(where, async () => {
    const pictures: (Picture | Patches)[] = [];
    for (const image of found.images) pictures.push(await reader.read(await read(image)));
    const plan = (found.plan ?? []).map((step): UnreadStep => {
      if (step.type === 'text') return step;
      const { helperImage } = step;
      if (helperImage === undefined) return { type: 'latent', name: '' };
      return { type: 'latent', name: path.basename(helperImage), helper: () => read(helperImage) };
    });
    return watched(where, found.question, pictures, plan, reader);
  });
}

async function sampleAt(file: string, index: number): Promise<Sample> {
  let count = 0;
  for await (const sample of readSamples(file)) if (count++ === index) return sample;
  throw new UserError({
    problem: 'There is no such sample to watch',
    expected: `a number from 0 to ${count - 1}`,
    found: String(index),
    where: file,
  });
}

async function fromGenerator(options: MapOptions, index: number, reader: Pictures): Promise<WatchedSample> {
  const item = mapItem(options, Math.floor(index / options.questions.length));
  const { text, steps } = item.questions[index % options.questions.length]!;
  const plan = steps.map((step, i) =>
    step.type === 'text'
      ? step
      : { type: step.type, helper: async () => asImage(item.drawHelper(step.player)), name: `step ${i + 1}` },
  );
  const pictures = [await reader.read(asImage(item.picture))];
  return watched(mapName(item.index), text, pictures, plan, reader);
}

type UnreadStep =
  { type: 'text'; content: string } | { type: 'latent'; helper?: () => Promise<DecodedImage>; name: string };

async function watched(
  where: string,
  question: string,
  pictures: (Picture | Patches)[],
  steps: readonly UnreadStep[],
  reader: Pictures,
): Promise<WatchedSample> {
  const plan: PlanStep<Picture | Patches>[] = [];
  const helpers: (SeenPicture | undefined)[] = [];
  for (const step of steps) {
    if (step.type === 'text') {
      plan.push(step);
      continue;
    }
    const image = await step.helper?.();
    const picture = image && (await reader.read(image));
    plan.push({ type: 'latent', ...(picture && { helper: picture }) });
    helpers.push(image && (await seen(image, step.name, picture!.grid)));
  }
  return { where, sample: { question, pictures, plan }, helpers };
}

async function seen(image: DecodedImage, name: string, grid: PatchGrid): Promise<SeenPicture> {
  const { width, height } = image;
  const png = await encodePng(image, MAX_SIDE);
  const hash = createHash('sha256').update(png).digest('hex').slice(0, 16);
  return { grid, file: `${hash}.png`, name, width, height, png };
}
