/**
 * A folder of maps: pictures, samples.jsonl in the official ILVR format, and generator.json, which holds the
 * settings and the command that makes the same folder again.
 *
 * A map's pictures are written before its lines, and its lines at once. Whatever ends the program, a later
 * run with the same settings drops at most the last map's lines, if they are not whole, and goes on. It begins
 * in an empty folder only, and neither drops nor overwrites anything that it would not have written itself.
 */

import { appendFile, lstat, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { CancelledError, messageOf, UserError } from '../base/errors.ts';
import { makeFolder } from '../files/makeFolder.ts';
import { namesOf } from '../files/ownFolder.ts';
import { openPlainFile, readPlainFile } from '../files/plainFile.ts';
import { writeJson } from '../files/replaceFile.ts';
import { SAFE, START, startOf, type GridMap } from '../dataset/scoring.ts';
import { shortestLength, type Position } from './grid.ts';
import { toPng, type Picture } from './picture.ts';
import type { Question, QuestionKind } from './questions.ts';
import {
  checkMapOptions,
  checkWhole,
  MAP_DEFAULTS,
  mapItem,
  questionsPerMap,
  type MapItem,
  type MapOptions,
} from './stream.ts';

export interface GeneratorSettings extends MapOptions {
  /** Maps; each has as many lines as there are questions. */
  count: number;
  /** One for all sizes. */
  minMoves: number;
}

/** Rises when the same settings would no longer give the same bytes. */
const GENERATOR_VERSION = 3;
const FORMAT = 'ilvr-maps';
const MAX_COUNT = 999_999;
/** Of generator.json. */
const MAX_HEADER_BYTES = 2 ** 20;

interface GenerateOptions {
  signal: AbortSignal;
  /** After each map; `done` counts the maps of earlier runs too. */
  onProgress: (done: number) => void;
}

interface Generated {
  samplesFile: string;
  /** Maps that an earlier run had written. */
  kept: number;
}

/**
 * Fills a folder, or goes on where an earlier run of the same settings ended.
 * @throws UserError for bad settings, a folder that holds something else, or one that cannot be written
 * @throws CancelledError when the signal is aborted; what is complete stays
 */
export async function generateMaps(
  folder: string,
  given: GeneratorSettings,
  { signal, onProgress }: GenerateOptions,
): Promise<Generated> {
  const settings = inOrder(given);
  checkMapOptions(settings);
  checkWhole('count', settings.count, 1, MAX_COUNT);
  const samplesFile = join(folder, 'samples.jsonl');
  const kept = await openFolder(folder, samplesFile, settings);
  for (let index = kept; index < settings.count; index++) {
    if (signal.aborted) throw new CancelledError('Generating maps');
    await writeItem(folder, samplesFile, drawn(mapItem(settings, index)));
    onProgress(index + 1);
  }
  return { samplesFile, kept };
}

/** Settings in one order, so that the same ones are the same bytes in generator.json. */
function inOrder({
  count,
  sizes,
  seed,
  split,
  questions,
  alternate,
  style,
  form,
  wording,
  minMoves,
}: GeneratorSettings): GeneratorSettings {
  return { count, sizes, seed, split, questions, alternate, style, form, wording, minMoves };
}

/** The command line that makes a folder with these settings. */
export function commandFor(settings: GeneratorSettings): string {
  const { count, sizes, seed, split, questions, alternate, style, wording, form, minMoves } = settings;
  return [
    'ilvr generate-maps OUT',
    `--count ${count} --sizes ${sizes.join(',')} --seed ${seed} --split ${split}`,
    `--questions ${questions.join(',')} --style ${style} --wording ${wording} --min-moves ${minMoves}`,
    ...(alternate.length === 0 ? [] : ['--alternate', alternate.join(',')]),
    ...(form === MAP_DEFAULTS.form ? [] : ['--form', form]),
  ].join(' ');
}

/** What is written of a map. */
interface Drawn {
  /** By the names of their files. */
  pictures: Map<string, Picture>;
  lines: string;
}

function drawn(item: MapItem): Drawn {
  const name = `map-${String(item.index + 1).padStart(6, '0')}`;
  const pictures = new Map<string, Picture>([[`${name}.png`, item.picture]]);
  const lines = item.questions.map((question) => {
    const plan = question.steps.map((step) => {
      if (step.type === 'text') return step;
      const file = helperName(name, step.player);
      if (!pictures.has(file)) pictures.set(file, item.drawHelper(step.player));
      return { type: 'latent', helper_image: file };
    });
    return `${JSON.stringify(sampleLine(name, item, question, plan))}\n`;
  });
  return { pictures, lines: lines.join('') };
}

async function writeItem(folder: string, samplesFile: string, { pictures, lines }: Drawn): Promise<void> {
  const files = Array.from(pictures, ([name, picture]) => [join(folder, name), toPng(picture)] as const);
  for (const [file, png] of files) await checkOwn(file, png);
  await writing(folder, async () => {
    await Promise.all(files.map(([file, png]) => writeFile(file, png)));
    await appendFile(samplesFile, lines);
  });
}

/** @throws UserError for a file of that name that is neither this picture nor the beginning of it */
async function checkOwn(file: string, png: Uint8Array): Promise<void> {
  if (!(await exists(file))) return;
  const { bytes, isWhole } = await beginningOf(file, png.length);
  if (!isWhole || !startsWith(png, bytes)) throw foreign('another file', file);
}

/** A helper image is named by where its player stands, row and column from 1: plans that meet there share it. */
function helperName(name: string, [row, column]: Position): string {
  return `${name}-player-${row + 1}-${column + 1}.png`;
}

/** One line; what comes after map_desc is ours and ignored by other readers. */
function sampleLine(name: string, { map, style }: MapItem, question: Question, plan: object[]): object {
  const scored = mapForScoring(map, question);
  return {
    text_input: question.text,
    image_input: `${name}.png`,
    sequence_plan: plan,
    original_final_answer: FINAL_ANSWERS[question.kind](question.answer),
    map_id: name,
    ...(scored !== undefined && { map_desc: scored }),
    ...(question.kind !== 'plan' && { map_drawn: map }),
    kind: question.kind,
    shortest: shortestLength(map),
    style: style.seed,
  };
}

/**
 * What the released rule finds in the answer, so that an evaluation by comparison is right: it takes the rest
 * of the line after "Answer:", box and all. Plans are scored by walking and keep their moves.
 */
const FINAL_ANSWERS: Record<QuestionKind, (answer: string) => string> = {
  plan: (moves) => moves,
  'plan-from': (moves) => moves,
  describe: (text) => text,
  judge: (letter) => `\\boxed{${letter}}`,
  hole: (word) => `\\boxed{${word}}`,
};

/** Only plans are walked; one from a cell is walked from that cell, wherever the picture has its player. */
function mapForScoring(map: GridMap, { kind, from }: Question): GridMap | undefined {
  if (kind !== 'plan' && kind !== 'plan-from') return undefined;
  const [startRow, startColumn] = startOf(map);
  const [fromRow, fromColumn] = from ?? [startRow, startColumn];
  const moved = map.map((cells) => [...cells]);
  moved[startRow]![startColumn] = SAFE;
  moved[fromRow]![fromColumn] = START;
  return moved;
}

const header = z.looseObject({
  format: z.literal(FORMAT),
  version: z.number(),
  settings: z.record(z.string(), z.unknown()),
});

/** @returns how many maps are there already */
async function openFolder(folder: string, samplesFile: string, settings: GeneratorSettings): Promise<number> {
  const file = join(folder, 'generator.json');
  const text = await readIfPresent(file);
  if (text === undefined) {
    await beginFolder(folder, file, settings);
    return 0;
  }
  checkSame(parseHeader(text, file), settings, file);
  return (await exists(samplesFile)) ? keepWholeMaps(samplesFile, settings) : 0;
}

async function beginFolder(folder: string, file: string, settings: GeneratorSettings): Promise<void> {
  const content = { format: FORMAT, version: GENERATOR_VERSION, command: commandFor(settings), settings };
  await writing(folder, async () => {
    await makeFolder(folder);
    const names = await readdir(folder);
    if (names.length > 0) throw foreign(namesOf(names), folder);
    await writeJson(file, content);
  });
}

function foreign(found: string, where: string): UserError {
  return new UserError({
    problem: 'This folder holds something that this command did not write',
    expected: 'an empty folder, or one that it has begun to fill',
    found,
    where,
    remedy: 'Give another folder.',
  });
}

function parseHeader(text: string, file: string): z.output<typeof header> {
  try {
    return header.parse(JSON.parse(text));
  } catch (error) {
    throw new UserError(
      {
        problem: 'This file does not say how the maps beside it were generated',
        found: error instanceof z.ZodError ? (error.issues[0]?.message ?? 'a fault') : messageOf(error),
        where: file,
        remedy: 'Give another folder, or remove this one.',
      },
      { cause: error },
    );
  }
}

function checkSame(
  { version, settings: found }: z.output<typeof header>,
  settings: GeneratorSettings,
  file: string,
): void {
  if (version !== GENERATOR_VERSION) throw different('version', GENERATOR_VERSION, version, file);
  for (const [key, value] of Object.entries(settings)) {
    if (JSON.stringify(found[key]) !== JSON.stringify(value)) throw different(key, value, found[key], file);
  }
}

function different(what: string, expected: unknown, found: unknown, file: string): UserError {
  return new UserError({
    problem: `These maps were generated with another ${what}`,
    expected: JSON.stringify(expected),
    found: JSON.stringify(found),
    where: file,
    remedy: 'Give another folder, or the settings that this file names.',
  });
}

const NEWLINE = 10;

/**
 * Cuts off the lines of a last map that are not whole.
 * @returns the number of whole ones
 * @throws UserError if what would be cut off are not the beginning of that map's lines
 */
async function keepWholeMaps(samplesFile: string, settings: GeneratorSettings): Promise<number> {
  const linesPerMap = questionsPerMap(settings);
  let [lines, position, whole] = [0, 0, 0];
  const { handle } = await openPlainFile(samplesFile, 'samples file');
  const chunks: AsyncIterable<Buffer> = handle.createReadStream();
  for await (const chunk of chunks) {
    for (let i = chunk.indexOf(NEWLINE); i >= 0; i = chunk.indexOf(NEWLINE, i + 1)) {
      lines++;
      if (lines % linesPerMap === 0) whole = position + i + 1;
    }
    position += chunk.length;
  }
  const maps = Math.floor(lines / linesPerMap);
  if (whole === position) return maps;
  const next = maps < settings.count ? Buffer.from(drawn(mapItem(settings, maps)).lines) : Buffer.of();
  const { bytes, isWhole } = await beginningOf(samplesFile, next.length, whole);
  if (!isWhole || !startsWith(next, bytes)) throw foreign('other lines at its end', samplesFile);
  await writing(samplesFile, () => truncate(samplesFile, whole));
  return maps;
}

/** At most so many bytes from an offset, and whether the file ends with them. */
async function beginningOf(
  file: string,
  length: number,
  offset = 0,
): Promise<{ bytes: Uint8Array; isWhole: boolean }> {
  const { handle, size } = await openPlainFile(file);
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(length + 1), 0, length + 1, offset);
    return {
      bytes: buffer.subarray(0, bytesRead),
      isWhole: offset + bytesRead >= size && bytesRead <= length,
    };
  } finally {
    await handle.close();
  }
}

function startsWith(all: Uint8Array, beginning: Uint8Array): boolean {
  return beginning.every((byte, i) => all[i] === byte);
}

async function exists(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => undefined)) !== undefined;
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    if (!(await exists(path))) return undefined;
    return new TextDecoder().decode(await readPlainFile(path, { maxBytes: MAX_HEADER_BYTES }));
  } catch (error) {
    throw error instanceof UserError ? error : cannotWrite(path, error);
  }
}

async function writing(folder: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw cannotWrite(folder, error);
  }
}

function cannotWrite(path: string, error: unknown): UserError {
  return new UserError(
    { problem: 'The maps cannot be written', found: messageOf(error), where: path },
    { cause: error },
  );
}
