/**
 * What a small model was asked in its training: `ilvr_trained_on.json`, an addition of ours. It lies beside finished
 * weights only; a run of training that begins with them does not take it along, as it no longer says all.
 */

import path from 'node:path';
import { z } from 'zod';
import { parseWith, readJsonIfPresent } from './json.ts';

export const TRAINED_ON_FILE = 'ilvr_trained_on.json';

const side = z.int().min(1).max(1_000_000);

/** What is not said is not bounded. */
const TrainedOn = z.strictObject({
  /** All words of its questions, as they were written. */
  words: z.array(z.string().min(1).max(100)).min(1).max(10_000).optional(),
  /** Words in its shortest question and in its longest. */
  wordCount: z
    .tuple([z.int().min(1), z.int().min(1)])
    .refine(([fewest, most]) => fewest <= most, 'the smaller number first')
    .optional(),
  /** Width and height of its pictures, in pixels. */
  pictures: z
    .array(z.tuple([side, side]))
    .min(1)
    .max(1000)
    .optional(),
  /** Pictures to a question, at most. */
  mostPictures: z.int().min(1).optional(),
});
export type TrainedOn = z.infer<typeof TrainedOn>;

/** @throws UserError for a file that says something else */
export async function readTrainedOn(folder: string): Promise<TrainedOn | undefined> {
  const file = path.join(folder, TRAINED_ON_FILE);
  const json = await readJsonIfPresent(file);
  return json === undefined ? undefined : parseWith(TrainedOn, json, file);
}
