/**
 * Samples in the official ILVR format: one JSON object per line, pictures by paths relative to the file.
 *
 * Fields we do not know are ignored; those we know must have the right form.
 */

import { stat } from 'node:fs/promises';
import { dirname, isAbsolute, resolve, win32 } from 'node:path';
import * as z from 'zod';
import { messageOf, UserError } from '../base/errors.ts';
import { readLines, type Line } from './lines.ts';
import { HOLE, GOAL, SAFE, START, type GridMap } from './scoring.ts';

export interface Sample {
  /** In its file, counted from 1. */
  line: number;
  /** May hold `<image>` where a picture belongs. */
  question: string;
  /** Absolute paths of existing files. */
  images: string[];
  /** How the sample's own answer interleaves text and latent blocks; absent in test sets. */
  plan?: PlanStep[];
  answer?: string;
  mapId?: string;
  /** For scoring only; never shown to a model. */
  map?: GridMap;
  /** What the picture shows where `map` is not that, as for a plan from another cell (an addition of ours). */
  drawn?: GridMap;
}

export type PlanStep =
  | { type: 'text'; content: string }
  /** `helperImage` is an absolute path of an existing file. */
  | { type: 'latent'; helperImage?: string };

const planStep = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), content: z.string() }),
  z.looseObject({ type: z.literal('latent'), helper_image: z.string().optional() }),
]);

const cell = z.literal([HOLE, SAFE, START, GOAL]);
/** A map that can be walked. */
export const gridMap = z
  .array(z.array(cell).min(1).max(64))
  .min(1)
  .max(64)
  .refine((rows) => rows.every((row) => row.length === rows[0]?.length), 'rows of unequal length')
  .refine((rows) => rows.flat().filter((code) => code === START).length === 1, 'not exactly one start (1)')
  .refine((rows) => rows.flat().includes(GOAL), 'no goal (2)');

const officialSample = z.looseObject({
  text_input: z.string(),
  image_input: z.union([z.string(), z.array(z.string())]).nullish(),
  sequence_plan: z.array(planStep).nullish(),
  original_final_answer: z.union([z.string(), z.number(), z.boolean()]).nullish(),
  map_id: z.union([z.string(), z.number()]).nullish(),
  map_desc: gridMap.nullish(),
  map_drawn: gridMap.nullish(),
});

export interface SampleOptions {
  /** Whether to read the sample's own answer, whose helper images must then exist. Default true. */
  plans?: boolean;
}

/**
 * Yields the samples of a file, one line at a time.
 * @throws UserError with file and line for the first sample that is damaged or whose picture is missing
 */
export async function* readSamples(file: string, options: SampleOptions = {}): AsyncGenerator<Sample> {
  for await (const line of readLines(file)) yield parseSample(line, file, options);
}

/**
 * One line as a sample.
 * @param file of the line; paths are relative to its folder
 * @throws UserError with file and line if it is no sample or if a picture does not exist
 */
export async function parseSample(
  { number, text }: Line,
  file: string,
  { plans = true }: SampleOptions = {},
): Promise<Sample> {
  const where = `${file}:${number}`;
  const result = officialSample.safeParse(parseJson(text, where));
  if (!result.success) throw invalid(result.error, where);
  const { text_input, image_input, sequence_plan, original_final_answer, map_id, map_desc, map_drawn } =
    result.data;
  const images = image_input === undefined || image_input === null ? [] : [image_input].flat();
  return {
    line: number,
    question: text_input,
    images: await Promise.all(images.map((path) => findPicture(path, file, where))),
    ...(plans &&
      sequence_plan && {
        plan: await Promise.all(sequence_plan.map((step) => resolveStep(step, file, where))),
      }),
    ...(isPresent(original_final_answer) && { answer: String(original_final_answer) }),
    ...(isPresent(map_id) && { mapId: String(map_id) }),
    ...(map_desc && { map: map_desc }),
    ...(map_drawn && { drawn: map_drawn }),
  };
}

/** Paths of the helper images of a sample's own answer, in order. */
export function helperImagesOf(sample: Sample): string[] {
  return (sample.plan ?? []).flatMap((step) =>
    step.type === 'latent' && step.helperImage !== undefined ? [step.helperImage] : [],
  );
}

function isPresent<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

async function resolveStep(step: z.output<typeof planStep>, file: string, where: string): Promise<PlanStep> {
  if (step.type === 'text') return { type: 'text', content: step.content };
  if (step.helper_image === undefined) return { type: 'latent' };
  return { type: 'latent', helperImage: await findPicture(step.helper_image, file, where) };
}

/** An absolute path or address means something else on every machine, so a dataset may not hold one. */
async function findPicture(path: string, file: string, where: string): Promise<string> {
  if (isAbsolute(path) || win32.isAbsolute(path) || /^[a-z][\w+.-]*:\/\//i.test(path)) {
    throw new UserError({
      problem: 'This sample names a picture by an absolute path',
      expected: 'a path relative to the samples file',
      found: path.slice(0, 200),
      where,
      remedy: 'Put the pictures beside the file and write their paths relative to it.',
    });
  }
  const found = resolve(dirname(resolve(file)), path);
  const isFile = await stat(found).then(
    (entry) => entry.isFile(),
    () => false,
  );
  if (!isFile) {
    throw new UserError({
      problem: 'A picture of this sample is missing',
      expected: `a file at ${found.slice(0, 300)}`,
      where,
      remedy: 'Paths are relative to the samples file; check that the pictures were copied with it.',
    });
  }
  return found;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(
      {
        problem: 'This line is not JSON',
        expected: 'one JSON object per line',
        found: messageOf(error),
        where,
      },
      { cause: error },
    );
  }
}

function invalid(error: z.ZodError, where: string): UserError {
  const issue = error.issues[0];
  const path = issue === undefined || issue.path.length === 0 ? 'the line' : issue.path.join('.');
  return new UserError({
    problem: 'This line is not a sample in the official ILVR format',
    found: `at ${path}: ${issue?.message ?? 'an unknown fault'}`,
    where,
    remedy: 'A sample needs at least text_input and image_input.',
  });
}
