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
import { deviceLabel, DEVICES } from '../tensor/device.ts';
import type { Fed } from './fed.ts';
import { settingsText } from './settings.ts';

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

/** A setting that counts samples, of which a file may be gone on with for more than it was begun for. */
export interface Growing {
  setting: string;
  /** Of this evaluation. */
  now: number;
  /** Whether what is done of a sample is the same as when there were so many. */
  stays: (line: number, before: number) => boolean;
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
  static async open(path: string, expected: ResultsHeader, growing?: Growing): Promise<ResultsFile> {
    return ResultsFile.openAs(path, expected, EVALUATION, growing);
  }

  /** The same of a file that holds something else. */
  static async openAs<Entry extends AnyEntry>(
    path: string,
    expected: ResultsHeader,
    kind: ResultsKind<Entry>,
    growing?: Growing,
  ): Promise<ResultsFile<Entry>> {
    await makeFolder(dirname(path));
    const unlock = await lockFile(path);
    try {
      const prepared = await prepare(path, expected, kind, growing);
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
  growing: Growing | undefined,
): Promise<Prepared<Entry>> {
  const bytes = await readIfPresent(path);
  if (bytes === undefined || isCutHeader(bytes, expected)) {
    await replaceFile(path, `${JSON.stringify(expected)}\n`);
    return { header: expected, kept: new Map() };
  }
  const { header: before, results, isWhole } = parseResults(bytes, path, kind, anotherFile(kind));
  const { header: found, stays } = grown(before, growing);
  checkHeader(found, expected, path, kind);
  const answered = [...results].filter(([line, { error }]) => error === undefined && stays(line));
  if (!isWhole || found !== before || answered.length < results.size) {
    const lines = [found, ...answered.map(([, entry]) => entry)];
    await replaceFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  return { header: found, kept: new Map(answered) };
}

/** The header for more samples, and what of the file holds for them too. */
function grown(
  found: ResultsHeader,
  growing: Growing | undefined,
): { header: ResultsHeader; stays: (line: number) => boolean } {
  const before = growing && found.settings[growing.setting];
  if (growing === undefined || typeof before !== 'number' || before >= growing.now)
    return { header: found, stays: () => true };
  const settings = { ...found.settings, [growing.setting]: growing.now };
  return { header: { ...found, settings }, stays: (line) => growing.stays(line, before) };
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
  return parseResults(bytes, path, EVALUATION, 'Give a file that `ilvr evaluate --results` wrote.');
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
  remedy: string,
): Results<Entry> & { isWhole: boolean } {
  const refusal = { problem: `This file does not hold ${kind.what}`, remedy };
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  if (end === 0) throw new UserError({ ...refusal, found: cutFile(bytes), where: path });
  const text = new TextDecoder().decode(bytes.subarray(0, end));
  const [first = '', ...lines] = text.split('\n').slice(0, -1);
  const found = parse(header, first, `${path}:1`, refusal);
  if (found.format !== kind.format)
    throw new UserError({ ...refusal, found: `a file of the format ${found.format}`, where: path });
  const done = lines.map((line, i) => parse(kind.entry, line, `${path}:${i + 2}`, refusal));
  const results = new Map(done.map((entry) => [entry.line, entry]));
  return { header: found, results, isWhole: end === bytes.length && results.size === lines.length };
}

/** Keys of everything in which two headers differ, settings one by one; the format aside. */
export function differencesOf(a: ResultsHeader, b: ResultsHeader): string[] {
  const top = (Object.keys(DIFFERENCES) as Top[]).filter((key) => a[key] !== b[key]);
  const settings = [...new Set([...Object.keys(a.settings), ...Object.keys(b.settings)])].filter(
    (key) => canonical(a.settings[key]) !== canonical(b.settings[key]),
  );
  return [...top, ...settings];
}

/** @throws UserError that says in words what differs */
function checkHeader(
  found: ResultsHeader,
  expected: ResultsHeader,
  path: string,
  kind: Pick<ResultsKind<unknown>, 'option'>,
): void {
  const different = differencesOf(expected, found);
  if (different.length === 0) return;
  const [first] = different;
  const { difference, says } = isTop(first!)
    ? DIFFERENCES[first]
    : {
        difference: 'the settings differ',
        says: ({ settings }: ResultsHeader) => settingsText(settings, different),
      };
  const isSmaller = different.length === 1 && first === 'swapAmong';
  throw new UserError({
    problem: `These results belong to another evaluation: ${difference}`,
    expected: says(expected),
    found: says(found),
    where: path,
    remedy: isSmaller
      ? `A swap takes the latents of another of these samples: ask for as many with --limit, or for more. ${anotherFile(kind)}`
      : `Ask as the file was made to go on with it. ${anotherFile(kind)}`,
  });
}

type Top = 'samples' | 'model' | 'provider';

const DIFFERENCES: Record<Top, { difference: string; says: (of: ResultsHeader) => string }> = {
  samples: {
    difference: 'the samples file is another, or has changed',
    says: ({ samples }) => `samples of sha256 ${samples.slice(0, 12)}…`,
  },
  model: {
    difference: 'the model is another',
    says: ({ model, made }) => [made?.name, `fingerprint ${model.slice(0, 12)}…`].filter(Boolean).join(', '),
  },
  provider: { difference: 'the device is another', says: ({ provider }) => deviceLabel(provider) },
};

function isTop(key: string): key is Top {
  return key in DIFFERENCES;
}

function anotherFile({ option }: Pick<ResultsKind<unknown>, 'option'>): string {
  return `Give another file with ${option} to begin anew.`;
}

/** JSON with sorted keys, so that equal settings compare equal. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

function parse<T>(
  schema: z.ZodType<T>,
  line: string,
  where: string,
  refusal: { problem: string; remedy: string },
): T {
  try {
    return schema.parse(JSON.parse(line));
  } catch (error) {
    const found =
      error instanceof z.ZodError ? faultText(error, JSON.parse(line) as unknown) : messageOf(error);
    throw new UserError({ ...refusal, found, where });
  }
}

function cutFile(bytes: Uint8Array): string {
  return bytes.length === 0 ? 'an empty file' : 'a first line that is cut off';
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
