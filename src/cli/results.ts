/**
 * Results of an evaluation as JSON Lines: a header that says what was evaluated, then one line per
 * sample, appended as it is done. A later run with the same header goes on where the file ends.
 */

import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { messageOf, UserError } from '../base/errors.ts';

const header = z.strictObject({
  format: z.literal('ilvr-results'),
  version: z.literal(1),
  /** sha256 of the samples file. */
  samples: z.string(),
  /** Fingerprint of the model. */
  model: z.string(),
  provider: z.enum(['webgpu', 'cpu']),
  /** Everything else that decides an answer. */
  settings: z.record(z.string(), z.unknown()),
});

const result = z.strictObject({
  /** Of the sample in its file, counted from 1. */
  line: z.int().min(1),
  mapId: z.string().optional(),
  /** Rows of the map. */
  size: z.int().optional(),
  text: z.string(),
  /** What was read from the text by the headline rule. */
  answer: z.string(),
  verdict: z.string(),
  success: z.boolean(),
  /** By the strict parser and by the released code's reading; for maps only. */
  strict: z.boolean().optional(),
  released: z.boolean().optional(),
  blocks: z.int(),
  /** Vectors fed at pads; files of earlier versions do not say. */
  latents: z.int().optional(),
  tokens: z.int(),
  milliseconds: z.number(),
  /** Why there is no answer. */
  error: z.string().optional(),
});

export type ResultsHeader = z.output<typeof header>;
export type SampleResult = z.output<typeof result>;

/** sha256 of a file, as hex. */
export async function fileHash(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

/**
 * Opens a results file for going on, or starts one.
 * A last line that was cut off while it was written is dropped, and its sample is done again.
 * @returns the results it already holds, by line of the sample
 * @throws UserError if the file is something else or belongs to another evaluation
 */
export async function openResults(path: string, expected: ResultsHeader): Promise<Map<number, SampleResult>> {
  const text = await readIfPresent(path);
  if (text === undefined || text === '') {
    await write(path, `${JSON.stringify(expected)}\n`);
    return new Map();
  }
  const { header: found, results, complete } = parseResults(text, path);
  checkHeader(found, expected, path);
  if (complete.length < text.length) await write(path, complete);
  return results;
}

/**
 * Reads a results file, also one that is still being written.
 * @throws UserError if there is none or it is something else
 */
export async function readResults(path: string): Promise<Results> {
  const text = await readIfPresent(path);
  if (text === undefined) throw new UserError({ problem: 'There is no such results file', where: path });
  return parseResults(text, path);
}

export interface Results {
  header: ResultsHeader;
  /** By line of the sample. */
  results: Map<number, SampleResult>;
}

/** `complete` is the text without a last line that was cut off. */
function parseResults(text: string, path: string): Results & { complete: string } {
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  const [first = '', ...lines] = complete.split('\n').slice(0, -1);
  const found = parse(header, first, `${path}:1`);
  const done = lines.map((line, i) => parse(result, line, `${path}:${i + 2}`));
  return { header: found, results: new Map(done.map((entry) => [entry.line, entry])), complete };
}

/** Keys of everything in which two headers differ, settings one by one; the format aside. */
export function differencesOf(a: ResultsHeader, b: ResultsHeader): string[] {
  const top = (['samples', 'model', 'provider'] as const).filter((key) => a[key] !== b[key]);
  const settings = [...new Set([...Object.keys(a.settings), ...Object.keys(b.settings)])].filter(
    (key) => canonical(a.settings[key]) !== canonical(b.settings[key]),
  );
  return [...top, ...settings];
}

export async function appendResult(path: string, entry: SampleResult): Promise<void> {
  try {
    await appendFile(path, `${JSON.stringify(entry)}\n`);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function checkHeader(found: ResultsHeader, expected: ResultsHeader, path: string): void {
  const different = (['format', 'version', 'samples', 'model', 'provider', 'settings'] as const).find(
    (key) => canonical(found[key]) !== canonical(expected[key]),
  );
  if (different === undefined) return;
  throw new UserError({
    problem: `These results belong to another evaluation: ${DIFFERENCES[different]}`,
    expected: canonical(expected[different]),
    found: canonical(found[different]),
    where: path,
    remedy: 'Give another file with --results, or remove this one.',
  });
}

const DIFFERENCES: Record<keyof ResultsHeader, string> = {
  format: 'the format differs',
  version: 'the version differs',
  samples: 'the samples file is another, or has changed',
  model: 'the model is another',
  provider: 'the device is another',
  settings: 'the settings differ',
};

/** JSON with sorted keys, so that equal settings compare equal. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

function parse<T>(schema: z.ZodType<T>, line: string, where: string): T {
  try {
    return schema.parse(JSON.parse(line));
  } catch (error) {
    throw new UserError(
      {
        problem: 'This file does not hold results of an evaluation',
        found: error instanceof z.ZodError ? (error.issues[0]?.message ?? 'a fault') : messageOf(error),
        where,
        remedy: 'Give another file with --results, or remove this one.',
      },
      { cause: error },
    );
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new UserError(
      { problem: 'The results file cannot be read', found: messageOf(error), where: path },
      { cause: error },
    );
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(resolve(path)), { recursive: true });
    await writeFile(path, text);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function cannotWrite(path: string, error: unknown): UserError {
  return new UserError(
    { problem: 'The results file cannot be written', found: messageOf(error), where: path },
    { cause: error },
  );
}
