/**
 * Samples in the official ILVR format: one JSON object per line, as Python writes it; pictures by paths relative to
 * the file or to a root that the reader names, or as base64.
 *
 * Fields we do not know are ignored; those we know must have the right form, or be null or NaN for nothing.
 */

import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { faultText } from '../base/faults.ts';
import { messageOf, UserError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { isFile } from '../files/plainFile.ts';
import { readLines, type Line } from './lines.ts';
import {
  foldersAround,
  pictureOf,
  rootAbove,
  type SamplePicture,
  type SamplePlace,
} from './samplePicture.ts';
import { HOLE, GOAL, SAFE, START, type GridMap } from './scoring.ts';

export interface Sample {
  /** In its file, counted from 1. */
  line: number;
  /** May hold `<image>` where a picture belongs. */
  question: string;
  images: SamplePicture[];
  /** How the sample's own answer interleaves text and latent blocks; absent in test sets. */
  plan?: PlanStep[];
  answer?: string;
  mapId?: string;
  /** For scoring only; never shown to a model. */
  map?: GridMap;
  /** What the picture shows where `map` is not that, as for a plan from another cell (an addition of ours). */
  drawn?: GridMap;
  /** Why it cannot be used, where the reader asked for such samples too; the rest then is as far as it is known. */
  problem?: UserError;
}

export type PlanStep =
  | { type: 'text'; content: string }
  /** One helper picture in the official files; other sets name none or several. */
  | { type: 'latent'; helpers: SamplePicture[] };

/** Absent, null, or NaN as pandas writes a value that is missing. */
function optional<S extends z.ZodType>(schema: S) {
  return z.preprocess(
    (value) => (value === null || Number.isNaN(value) ? undefined : value),
    schema.optional(),
  );
}

const pictures = optional(z.union([z.string(), z.array(z.string())]));

const planStep = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), content: z.string() }),
  z.looseObject({ type: z.literal('latent'), helper_image: pictures }),
]);

const officialPlan = z.looseObject({ sequence_plan: optional(z.array(planStep)) });

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
  image_input: pictures,
  original_final_answer: optional(z.union([z.string(), z.number(), z.boolean()])),
  map_id: optional(z.union([z.string(), z.number()])),
  map_desc: optional(gridMap),
  map_drawn: optional(gridMap),
});

export interface SampleOptions {
  /** Whether to read the sample's own answer, whose helper images must then exist. Default true. */
  plans?: boolean;
  /** Folder that paths count from. Default: the samples file's. */
  root?: string | undefined;
}

/**
 * Yields the samples of a file, one line at a time.
 * @throws UserError with file and line for the first sample that is damaged or whose picture is missing
 */
export async function* readSamples(file: string, options: SampleOptions = {}): AsyncGenerator<Sample> {
  for await (const line of readLines(file)) yield parseSample(line, file, options);
}

/**
 * The same with every line: a sample that cannot be used comes with its problem.
 * @throws UserError if the file cannot be read
 */
export async function* readAllSamples(
  file: string,
  options: SampleOptions = {},
): AsyncGenerator<{ sample: Sample; line: Line }> {
  for await (const line of readLines(file)) yield { sample: await sampleOf(line, file, options), line };
}

async function sampleOf(line: Line, file: string, options: SampleOptions): Promise<Sample> {
  try {
    return await parseSample(line, file, options);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { line: line.number, question: '', images: [], ...identityOf(line), problem: error };
  }
}

/**
 * One line as a sample.
 * @param file of the line
 * @throws UserError with file and line if it is no sample or if a picture does not exist
 */
export async function parseSample(
  line: Line,
  file: string,
  { plans = true, root }: SampleOptions = {},
): Promise<Sample> {
  const where = `${file}:${line.number}`;
  const value = objectIn(line, where);
  const { text_input, image_input, map_desc, map_drawn, ...rest } = parsed(officialSample, value, where);
  const place: SamplePlace = { file, line, root };
  const { sequence_plan } = plans ? parsed(officialPlan, value, where) : {};
  return {
    line: line.number,
    question: text_input,
    images: await picturesOf(image_input, ['image_input'], place),
    ...(sequence_plan && { plan: await planOf(sequence_plan, place) }),
    ...(rest.original_final_answer !== undefined && { answer: String(rest.original_final_answer) }),
    ...(rest.map_id !== undefined && { mapId: String(rest.map_id) }),
    ...(map_desc && { map: map_desc }),
    ...(map_drawn && { drawn: map_drawn }),
  };
}

/** Whether two questions are the same but for their pictures' places and for spaces. */
export function isSameQuestion(a: string, b: string): boolean {
  const [one, other] = [a, b].map((text) => text.replaceAll('<image>', ' ').trim().replaceAll(/\s+/g, ' '));
  return one === other;
}

/** The folder, the file's own or one above it, from which a line names a picture; undefined if it does not. */
export function rootNaming(picture: string, line: Line, file: string): string | undefined {
  const paths = pathsIn(line);
  return foldersAround(file).find((folder) => paths.some((path) => resolve(folder, path) === picture));
}

/** The folder above a file that its pictures' paths count from, by its first sample; undefined if it is its own. */
export async function rootAboveOf(file: string): Promise<string | undefined> {
  for await (const line of readLines(file)) {
    const [path] = pathsIn(line);
    if (path === undefined) return undefined;
    return (await isFile(resolve(dirname(file), path))) ? undefined : rootAbove(path, file);
  }
  return undefined;
}

/** What a line names as its pictures; nothing if it is no sample. */
function pathsIn({ text }: Line): string[] {
  try {
    return [officialSample.safeParse(parseJson(text)).data?.image_input ?? []].flat();
  } catch {
    return [];
  }
}

/** Pictures of the latent steps of a sample's own answer, in order. */
export function helperImagesOf(sample: Sample): SamplePicture[] {
  return (sample.plan ?? []).flatMap((step) => (step.type === 'latent' ? step.helpers : []));
}

/** What tells a sample that cannot be used from others, as far as it can be read. */
function identityOf(line: Line): Pick<Sample, 'mapId' | 'map' | 'answer'> {
  const { shape } = officialSample;
  const value = ((): unknown => {
    try {
      return parseJson(line.text);
    } catch {
      return undefined;
    }
  })();
  const field = <K extends 'map_id' | 'map_desc' | 'original_final_answer'>(key: K) =>
    typeof value === 'object' && value !== null
      ? shape[key].safeParse(Reflect.get(value, key)).data
      : undefined;
  const [id, map, answer] = [field('map_id'), field('map_desc'), field('original_final_answer')];
  return {
    ...(id !== undefined && { mapId: String(id) }),
    ...(map !== undefined && { map: map as GridMap }),
    ...(answer !== undefined && { answer: String(answer) }),
  };
}

async function planOf(steps: z.output<typeof planStep>[], place: SamplePlace): Promise<PlanStep[]> {
  return Promise.all(
    steps.map(async (step, i): Promise<PlanStep> => {
      if (step.type === 'text') return { type: 'text', content: step.content };
      const field = ['sequence_plan', i, 'helper_image'];
      return { type: 'latent', helpers: await picturesOf(step.helper_image, field, place) };
    }),
  );
}

/** One, several or none. */
async function picturesOf(
  value: string | string[] | undefined,
  field: readonly (string | number)[],
  place: SamplePlace,
): Promise<SamplePicture[]> {
  if (typeof value === 'string') return [await pictureOf(value, field, place)];
  return Promise.all((value ?? []).map((text, i) => pictureOf(text, [...field, i], place)));
}

function objectIn({ text, problem }: Line, where: string): unknown {
  if (problem !== undefined) throw problem;
  try {
    return parseJson(text);
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

function parsed<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw invalid(result.error, value, where);
  return result.data;
}

function invalid(error: z.ZodError, given: unknown, where: string): UserError {
  return new UserError({
    problem: 'This line is not a sample in the official ILVR format',
    found: faultText(error, given, 'the line'),
    where,
    remedy: 'A sample needs at least text_input and image_input.',
  });
}
