/** The samples of an evaluation: what is asked of each, and which cannot be. */

import { resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import type { Line } from '../dataset/lines.ts';
import { readAllSamples, type Sample } from '../dataset/samples.ts';

export interface ReadOptions {
  limit?: number | undefined;
  /** Folder that paths to pictures count from; the file's own if absent. */
  pictures?: string | undefined;
  /** Whether the sample's own answer is read, whose helper pictures must then be there. */
  plans?: boolean;
}

/** What is asked instead of the samples' own question. */
export interface OtherQuestion {
  question: string;
  /** Whether samples without a map keep theirs. */
  forMapsOnly: boolean;
}

/**
 * All are read first, so that a fault in the last one shows before hours of work.
 * @throws UserError for a file without a sample that can be evaluated
 */
export async function samplesToEvaluate(file: string, options: ReadOptions): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const { sample } of eachSample(file, options)) samples.push(sample);
  if (samples.length === 0) throw noSamples(file);
  if (samples.every(({ problem }) => problem !== undefined)) throw samples[0]!.problem!;
  return samples;
}

export function noSamples(file: string): UserError {
  return new UserError({ problem: 'This file holds no samples', where: file });
}

/** Each sample with its line; one that cannot be asked or scored has its problem. */
export async function* eachSample(
  file: string,
  { limit = Infinity, pictures, plans = false }: ReadOptions,
): AsyncGenerator<{ sample: Sample; line: Line }> {
  const root = pictures === undefined ? undefined : resolve(pictures);
  let count = 0;
  for await (const { sample, line } of readAllSamples(file, { plans, root })) {
    if (count++ >= limit) return;
    yield { sample: withScoring(sample, file), line };
  }
}

function withScoring(sample: Sample, file: string): Sample {
  if (sample.problem !== undefined || sample.map !== undefined || sample.answer !== undefined) return sample;
  const problem = new UserError({
    problem: 'This sample cannot be scored',
    expected: 'map_desc or original_final_answer',
    where: `${file}:${sample.line}`,
  });
  return { ...sample, problem };
}

/** What a sample is asked. */
export function questionFor(
  { question, map }: Pick<Sample, 'question' | 'map'>,
  other: OtherQuestion | undefined,
): string {
  return other === undefined || (other.forMapsOnly && map === undefined) ? question : other.question;
}

/** A question says itself where its pictures stand, or they stand as the model's authors have them. */
export function placementOf(question: string): 'placeholder' | 'auto' {
  return question.includes('<image>') ? 'placeholder' : 'auto';
}
