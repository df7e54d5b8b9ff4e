/**
 * A folder of maps: pictures, samples.jsonl in the official ILVR format, and generator.json, which holds the
 * settings and the command that makes the same folder again.
 *
 * A map's pictures are written before its lines, and its lines at once. Whatever ends the program, a later
 * run with the same settings drops at most a last incomplete line and goes on.
 */

import { createReadStream } from 'node:fs';
import { appendFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { CancelledError, messageOf, UserError } from '../base/errors.ts';
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

export interface GenerateOptions {
  signal: AbortSignal;
  /** After each map; `done` counts the maps of earlier runs too. */
  onProgress: (done: number) => void;
}

export interface Generated {
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
    await writeItem(folder, samplesFile, mapItem(settings, index));
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

async function writeItem(folder: string, samplesFile: string, item: MapItem): Promise<void> {
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
  await writing(folder, async () => {
    await Promise.all(
      Array.from(pictures, ([file, picture]) => writeFile(join(folder, file), toPng(picture))),
    );
    await appendFile(samplesFile, lines.join(''));
  });
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
    await beginFolder(folder, file, samplesFile, settings);
    return 0;
  }
  checkSame(parseHeader(text, file), settings, file);
  return keepWholeMaps(folder, samplesFile, settings.questions.length);
}

async function beginFolder(
  folder: string,
  file: string,
  samplesFile: string,
  settings: GeneratorSettings,
): Promise<void> {
  if ((await readIfPresent(samplesFile)) !== undefined) {
    throw new UserError({
      problem: 'This folder holds samples that this command did not write',
      expected: 'generator.json beside samples.jsonl, or neither',
      where: folder,
      remedy: 'Give another folder.',
    });
  }
  const content = { format: FORMAT, version: GENERATOR_VERSION, command: commandFor(settings), settings };
  await writing(folder, async () => {
    await mkdir(folder, { recursive: true });
    await writeJson(file, content);
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

/** Cuts off a last map that is not whole. @returns the number of whole ones */
async function keepWholeMaps(folder: string, samplesFile: string, linesPerMap: number): Promise<number> {
  let [lines, position, whole] = [0, 0, 0];
  await writing(folder, async () => {
    // Opening it for appending creates a file that an earlier run did not come to.
    await appendFile(samplesFile, '');
    const chunks: AsyncIterable<Buffer> = createReadStream(samplesFile);
    for await (const chunk of chunks) {
      for (let i = chunk.indexOf(NEWLINE); i >= 0; i = chunk.indexOf(NEWLINE, i + 1)) {
        lines++;
        if (lines % linesPerMap === 0) whole = position + i + 1;
      }
      position += chunk.length;
    }
    if (whole < position) await truncate(samplesFile, whole);
  });
  return Math.floor(lines / linesPerMap);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw cannotWrite(path, error);
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
