/**
 * Results of an evaluation as JSON Lines: a header that says what was evaluated, then one line per
 * sample, appended as it is done. A later run with the same header goes on where the file ends.
 */

import { open, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join, parse as parsePath } from 'node:path';
import * as z from 'zod';
import { faultText } from '../base/faults.ts';
import { messageOf, UserError } from '../base/errors.ts';
import { lockFile } from '../files/lock.ts';
import { makeFolder } from '../files/makeFolder.ts';
import { readPlainFile } from '../files/plainFile.ts';
import { replaceFile, targetOf } from '../files/replaceFile.ts';
import { DEVICES } from '../tensor/device.ts';
import type { Fed } from './fed.ts';

/** Tens of thousands of answers of a thousand words; as much as one text can hold. */
const MAX_BYTES = 500_000_000;

const NEWLINE = 10;

const header = z.strictObject({
  format: z.enum(['ilvr-results', 'ilvr-doubt']),
  version: z.literal(1),
  /** sha256 of the samples file. */
  samples: z.string(),
  /** Fingerprint of the model. */
  model: z.string(),
  provider: z.enum(DEVICES),
  /** Everything else that decides an answer. */
  settings: z.record(z.string(), z.unknown()),
  /** How it came about; decides nothing. Files of earlier versions do not say. */
  made: z
    .strictObject({
      /** When it was begun, ISO 8601. */
      at: z.iso.datetime(),
      version: z.string(),
      /** Name of the model, and its folder as it was given; absent for the bundled one. */
      name: z.string(),
      model: z.string().optional(),
      adapter: z.string().optional(),
      /** Samples without a map were asked their own question. */
      ownQuestions: z.boolean().optional(),
    })
    .optional(),
});

/** Tests of a run: see ./tests.ts. */
const tests = z.strictObject({
  /** Of the analyses that they are figures of. */
  version: z.string(),
  /** Nats: mean KL(own ‖ without latents) per word. */
  kl: z.number().optional(),
  /** Score of the first latent's map on the next state, and its interval. */
  faithfulness: z.strictObject({ value: z.number(), low: z.number(), high: z.number() }).optional(),
  /** Why there are no figures; a run without latents has none and no problem. */
  problem: z.string().optional(),
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
  /** Where they were asked for. */
  tests: tests.optional(),
  /** Why there is no answer. */
  error: z.string().optional(),
});

/** What a file's lines hold. */
export interface ResultsKind<Entry> {
  format: z.output<typeof header>['format'];
  /** In words: "results of an evaluation". */
  what: string;
  /** Of the command line, that names the file. */
  option: string;
  entry: z.ZodType<Entry>;
}

/** What every line has. */
interface AnyEntry {
  line: number;
  error?: string | undefined;
}

export type ResultsHeader = z.output<typeof header>;
export type SampleResult = z.output<typeof result>;
export type SampleTests = z.output<typeof tests>;

const EVALUATION: ResultsKind<SampleResult> = {
  format: 'ilvr-results',
  what: 'results of an evaluation',
  option: '--results',
  entry: result,
};

/** A results file that this process alone adds to. */
export class ResultsFile<Entry extends AnyEntry = SampleResult> {
  /** What it holds already, by line of the sample. */
  readonly kept: ReadonlyMap<number, Entry>;
  /** As it stands in the file. */
  readonly header: ResultsHeader;
  readonly path: string;
  private readonly handle: FileHandle;
  private readonly unlock: () => Promise<void>;

  private constructor(
    path: string,
    { header: found, kept }: Prepared<Entry>,
    handle: FileHandle,
    unlock: () => Promise<void>,
  ) {
    this.path = path;
    this.header = found;
    this.kept = kept;
    this.handle = handle;
    this.unlock = unlock;
  }

  /**
   * Opens a results file for going on, or starts one. What was cut off while it was written is dropped, be it a
   * result or the header, and a sample that got no answer is asked again.
   * @throws UserError if it is something else, belongs to another evaluation, or another process writes it
   */
  static async open(path: string, expected: ResultsHeader): Promise<ResultsFile> {
    return ResultsFile.openAs(path, expected, EVALUATION);
  }

  /** The same of a file that holds something else. */
  static async openAs<Entry extends AnyEntry>(
    path: string,
    expected: ResultsHeader,
    kind: ResultsKind<Entry>,
  ): Promise<ResultsFile<Entry>> {
    await makeFolder(dirname(path));
    const unlock = await lockFile(path);
    try {
      const prepared = await prepare(path, expected, kind);
      return new ResultsFile(path, prepared, await open(path, 'a'), unlock);
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  async append(entry: Entry): Promise<void> {
    try {
      await this.handle.appendFile(`${JSON.stringify(entry)}\n`);
    } catch (error) {
      throw cannotWrite(this.path, error);
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
    await this.unlock();
  }
}

/** A file that can be added to. */
interface Prepared<Entry> {
  header: ResultsHeader;
  /** The answers that it keeps. */
  kept: Map<number, Entry>;
}

async function prepare<Entry extends AnyEntry>(
  path: string,
  expected: ResultsHeader,
  kind: ResultsKind<Entry>,
): Promise<Prepared<Entry>> {
  const bytes = await readIfPresent(path);
  if (bytes === undefined || isCutHeader(bytes, expected)) {
    await replaceFile(path, `${JSON.stringify(expected)}\n`);
    return { header: expected, kept: new Map() };
  }
  const { header: found, results, isWhole } = parseResults(bytes, path, kind);
  checkHeader(found, expected, path, kind);
  const answered = [...results].filter(([, { error }]) => error === undefined);
  if (!isWhole || answered.length < results.size) {
    const lines = [found, ...answered.map(([, entry]) => entry)];
    await replaceFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  return { header: found, kept: new Map(answered) };
}

/** Whether a file ends within the header of this evaluation, whenever that was begun. */
function isCutHeader(bytes: Uint8Array, expected: ResultsHeader): boolean {
  if (bytes.includes(NEWLINE)) return false;
  const { made: _, ...deciding } = expected;
  const start = Buffer.from(JSON.stringify(deciding).slice(0, -1));
  const length = Math.min(start.length, bytes.length);
  return start.subarray(0, length).equals(bytes.subarray(0, length));
}

/**
 * Reads a results file, also one that is still being written.
 * @throws UserError if there is none or it is something else
 */
export async function readResults(path: string): Promise<Results> {
  const bytes = await readIfPresent(path);
  if (bytes === undefined) throw new UserError({ problem: 'There is no such results file', where: path });
  return parseResults(bytes, path, EVALUATION);
}

export interface Results<Entry = SampleResult> {
  header: ResultsHeader;
  /** By line of the sample. */
  results: Map<number, Entry>;
}

/** The header in a file's first line; undefined if it is something else. */
export function headerIn(line: string): ResultsHeader | undefined {
  const found = parseQuietly(header, line);
  return found?.format === EVALUATION.format ? found : undefined;
}

/** The result in a line; undefined if it is something else. */
export function resultIn(line: string): SampleResult | undefined {
  return parseQuietly(result, line);
}

function parseQuietly<T>(schema: z.ZodType<T>, line: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** "out/r.jsonl" → "out/r.zero.jsonl": of one pass among several. */
export function passPath(path: string, fed: Fed): string {
  const { dir, name, ext } = parsePath(path);
  return join(dir, `${name}.${fed}${ext}`);
}

/** `isWhole` is false where the last line was cut off, which is then left out. */
function parseResults<Entry extends AnyEntry>(
  bytes: Uint8Array,
  path: string,
  kind: ResultsKind<Entry>,
): Results<Entry> & { isWhole: boolean } {
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  if (end === 0) throw noResults('a first line that is cut off', path, kind);
  const text = new TextDecoder().decode(bytes.subarray(0, end));
  const [first = '', ...lines] = text.split('\n').slice(0, -1);
  const found = parse(header, first, `${path}:1`, kind);
  if (found.format !== kind.format) throw noResults(`a file of the format ${found.format}`, path, kind);
  const done = lines.map((line, i) => parse(kind.entry, line, `${path}:${i + 2}`, kind));
  const results = new Map(done.map((entry) => [entry.line, entry]));
  return { header: found, results, isWhole: end === bytes.length && results.size === lines.length };
}

/** Keys of everything in which two headers differ, settings one by one; the format aside. */
export function differencesOf(a: ResultsHeader, b: ResultsHeader): string[] {
  const top = (['samples', 'model', 'provider'] as const).filter((key) => a[key] !== b[key]);
  const settings = [...new Set([...Object.keys(a.settings), ...Object.keys(b.settings)])].filter(
    (key) => canonical(a.settings[key]) !== canonical(b.settings[key]),
  );
  return [...top, ...settings];
}

function checkHeader(
  found: ResultsHeader,
  expected: ResultsHeader,
  path: string,
  { option }: Pick<ResultsKind<unknown>, 'option'>,
): void {
  const different = (['format', 'version', 'samples', 'model', 'provider', 'settings'] as const).find(
    (key) => canonical(found[key]) !== canonical(expected[key]),
  );
  if (different === undefined) return;
  throw new UserError({
    problem: `These results belong to another evaluation: ${DIFFERENCES[different]}`,
    expected: canonical(expected[different]),
    found: canonical(found[different]),
    where: path,
    remedy: `Give another file with ${option}, or remove this one.`,
  });
}

const DIFFERENCES: Record<keyof Omit<ResultsHeader, 'made'>, string> = {
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

function parse<T>(schema: z.ZodType<T>, line: string, where: string, kind: Kind): T {
  try {
    return schema.parse(JSON.parse(line));
  } catch (error) {
    const found =
      error instanceof z.ZodError ? faultText(error, JSON.parse(line) as unknown) : messageOf(error);
    throw noResults(found, where, kind);
  }
}

type Kind = Pick<ResultsKind<unknown>, 'what' | 'option'>;

function noResults(found: string, where: string, { what, option }: Kind): UserError {
  return new UserError({
    problem: `This file does not hold ${what}`,
    found,
    where,
    remedy: `Give another file with ${option}, or remove this one.`,
  });
}

/** @throws UserError if it cannot be read, or is no plain file */
async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  // A link to nothing yet is a file to be made.
  const there = await stat(await targetOf(path)).catch(() => undefined);
  return there && readPlainFile(path, { what: 'results file', maxBytes: MAX_BYTES });
}

function cannotWrite(path: string, error: unknown): UserError {
  return new UserError(
    { problem: 'The results file cannot be written', found: messageOf(error), where: path },
    { cause: error },
  );
}
