/** The sample that is watched: as the trainer reads it, and its helper pictures for people to see. */

import { createHash } from 'node:crypto';
import { encodePng } from '../../checkpoint/pixels/decodeImage.ts';
import type { PatchGrid } from '../../model/positions.ts';
import type { PictureReader, UnreadPicture } from '../data/pictures.ts';
import { located, readSample, type SampleData } from '../data/samples.ts';
import type { AnySample, Patches, Picture } from '../data/sequence.ts';

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
  data: SampleData,
  index: number,
  reader: PictureReader<Picture | Patches>,
): Promise<WatchedSample> {
  const unread = data.sample(index);
  const { where } = unread;
  const sample = await readSample(unread, reader, { helpers: true });
  const helpers: WatchedSample['helpers'] = [];
  for (const [i, step] of sample.plan.entries()) {
    if (step.type === 'text') continue;
    const source = unread.plan[i]!;
    const picture = source.type === 'latent' ? source.helper : undefined;
    helpers.push(picture && (await located(where, () => seen(picture, step.helper!.grid))));
  }
  return { where, sample, helpers };
}

async function seen({ name, image }: UnreadPicture, grid: PatchGrid): Promise<SeenPicture> {
  const decoded = await image();
  const png = await encodePng(decoded, MAX_SIDE);
  const hash = createHash('sha256').update(png).digest('hex').slice(0, 16);
  return { grid, file: `${hash}.png`, name, width: decoded.width, height: decoded.height, png };
}
