/** What the right answer to a recorded run is: as it was given, or as a samples file has it. */

import { basename } from 'node:path';
import { UserError } from '../base/errors.ts';
import { isSameQuestion, readAllSamples, type Sample } from '../dataset/samples.ts';
import type { Truth } from '../dataset/scoring.ts';
import type { Trace } from '../trace/schema.ts';

/** What a sample knows of the right answer; undefined where it knows nothing. */
export function truthIn({ map, answer }: Pick<Sample, 'map' | 'answer'>): Truth | undefined {
  if (map === undefined && answer === undefined) return undefined;
  return { ...(map && { map }), ...(answer !== undefined && { answer }) };
}

/**
 * The truth of the sample that asks the run's question of its pictures.
 * @throws UserError if the file has none, or several that disagree
 */
export async function truthFrom(file: string, trace: Trace): Promise<Truth> {
  const found = new Map<string, { line: number; truth: Truth }>();
  for await (const { sample } of readAllSamples(file, { plans: false })) {
    const truth = truthIn(sample);
    if (truth !== undefined && isAskedIn(sample, trace))
      found.set(JSON.stringify(truth), { line: sample.line, truth });
  }
  const [first, ...others] = found.values();
  if (first !== undefined && others.length === 0) return first.truth;
  const pictures = inputsOf(trace).join(', ');
  throw new UserError({
    problem:
      first === undefined
        ? 'No sample of this file is the one of the run'
        : `Samples of this file disagree about the run: ${[first, ...others].map(({ line }) => `line ${line}`).join(', ')}`,
    expected: `${first === undefined ? 'a' : 'one'} sample with a truth about ${pictures}, with the question “${trace.question}”`,
    where: file,
    remedy: 'Give the file that the picture is of, or the right answer itself with --truth.',
  });
}

function isAskedIn({ images, question }: Sample, trace: Trace): boolean {
  const inputs = inputsOf(trace);
  const isSame =
    images.length === inputs.length && images.every(({ name }, i) => basename(name) === inputs[i]);
  return isSame && isSameQuestion(question, trace.question);
}

function inputsOf({ pictures }: Trace): string[] {
  return pictures.filter(({ role }) => role === 'input').map(({ name }) => basename(name));
}
