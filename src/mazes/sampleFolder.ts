/**
 * A folder of drawn samples: pictures, samples.jsonl in the official ILVR format, and generator.json, which holds
 * the settings and the command that makes the same folder again.
 *
 * An item's pictures are written before its lines, and its lines at once. Whatever ends the program, a later
 * run with the same settings drops at most the last item's lines, if they are not whole, draws pictures again that are
 * gone or cut, and goes on. It begins in an empty folder only, and neither drops nor overwrites anything that it would not have
 * written itself.
 */

import { appendFile, lstat, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { faultText } from '../base/faults.ts';
import { CancelledError, messageOf, UserError } from '../base/errors.ts';
import { readLines } from '../dataset/lines.ts';
import { makeFolder } from '../files/makeFolder.ts';
import { namesOf } from '../files/ownFolder.ts';
import { openPlainFile, readPlainFile, sizeOfFile } from '../files/plainFile.ts';
import { writeJson } from '../files/replaceFile.ts';
import { toPng, type Picture } from './picture.ts';

/** What a folder is filled with. */
export interface FolderPlan {
  /** Of generator.json. */
  format: string;
  /** Rises when the same settings would no longer give the same bytes. */
  version: number;
  /** Makes the same folder again. */
  command: string;
  /** In one order, so that the same ones are the same bytes in generator.json. */
  settings: object;
  /** Items. */
  count: number;
  linesPerItem: number;
  draw: (index: number) => DrawnItem;
}

/** What is written of an item. */
export interface DrawnItem {
  /** By the names of their files. */
  pictures: Map<string, Picture>;
  lines: string;
}

/** Of generator.json. */
const MAX_HEADER_BYTES = 2 ** 20;
export const MAX_COUNT = 999_999;

export interface GenerateOptions {
  signal: AbortSignal;
  /** After each item; `done` counts those of earlier runs too. */
  onProgress: (done: number) => void;
}

export interface Generated {
  samplesFile: string;
  /** Items that an earlier run had written. */
  kept: number;
  /** Of these, those with a picture that was gone, or cut. */
  redrawn: number;
}

/**
 * Fills a folder, or goes on where an earlier run of the same settings ended.
 * @throws UserError for a folder that holds something else, or one that cannot be written
 * @throws CancelledError when the signal is aborted; what is complete stays
 */
export async function fillFolder(
  folder: string,
  plan: FolderPlan,
  { signal, onProgress }: GenerateOptions,
): Promise<Generated> {
  const samplesFile = join(folder, 'samples.jsonl');
  const kept = await openFolder(folder, samplesFile, plan);
  const lacking = kept === 0 ? [] : await itemsWithoutPictures(folder, samplesFile, plan);
  for (const index of lacking) {
    if (signal.aborted) throw new CancelledError('Generating samples');
    await writePictures(folder, plan.draw(index));
  }
  for (let index = kept; index < plan.count; index++) {
    if (signal.aborted) throw new CancelledError('Generating samples');
    await writeItem(folder, samplesFile, plan.draw(index));
    onProgress(index + 1);
  }
  return { samplesFile, kept, redrawn: lacking.length };
}

async function writeItem(folder: string, samplesFile: string, item: DrawnItem): Promise<void> {
  await writePictures(folder, item);
  await writing(folder, () => appendFile(samplesFile, item.lines));
}

async function writePictures(folder: string, { pictures }: DrawnItem): Promise<void> {
  const files = Array.from(pictures, ([name, picture]) => [join(folder, name), toPng(picture)] as const);
  for (const [file, png] of files) await checkOwn(file, png);
  await writing(folder, async () => {
    await Promise.all(files.map(([file, png]) => writeFile(file, png)));
  });
}

/** Names of pictures in a line, which are the generator's own. */
const PICTURES = /"([\w-]+\.png)"/g;
/** How a PNG ends: an empty chunk, its kind and its checksum. */
const END = Buffer.from('0000000049454e44ae426082', 'hex');

/** Those of which a picture is gone, or was cut when the machine went off. */
async function itemsWithoutPictures(
  folder: string,
  samplesFile: string,
  { linesPerItem }: FolderPlan,
): Promise<number[]> {
  const items = new Set<number>();
  for await (const { number, text } of readLines(samplesFile)) {
    const pictures = Array.from(text.matchAll(PICTURES), ([, name]) => join(folder, name!));
    const whole = await Promise.all(pictures.map(isWholePicture));
    if (whole.includes(false)) items.add(Math.floor((number - 1) / linesPerItem));
  }
  return [...items];
}

async function isWholePicture(file: string): Promise<boolean> {
  if (!(await exists(file))) return false;
  const size = await sizeOfFile(file, 'picture');
  const { bytes } = await beginningOf(file, END.length, Math.max(0, size - END.length));
  return END.equals(bytes);
}

/** @throws UserError for a file of that name that is neither this picture nor the beginning of it */
async function checkOwn(file: string, png: Uint8Array): Promise<void> {
  if (!(await exists(file))) return;
  const { bytes, isWhole } = await beginningOf(file, png.length);
  if (!isWhole || !startsWith(png, bytes)) throw foreign('another file', file);
}

const header = z.looseObject({
  format: z.string(),
  version: z.number(),
  settings: z.record(z.string(), z.unknown()),
});

/** @returns how many items are there already */
async function openFolder(folder: string, samplesFile: string, plan: FolderPlan): Promise<number> {
  const file = join(folder, 'generator.json');
  const text = await readIfPresent(file);
  if (text === undefined) {
    await beginFolder(folder, file, plan);
    return 0;
  }
  checkSame(parseHeader(text, file, plan), plan, file);
  return (await exists(samplesFile)) ? keepWholeItems(samplesFile, plan) : 0;
}

async function beginFolder(
  folder: string,
  file: string,
  { format, version, command, settings }: FolderPlan,
): Promise<void> {
  const content = { format, version, command, settings };
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

function parseHeader(text: string, file: string, { format }: FolderPlan): z.output<typeof header> {
  try {
    const found = header.parse(JSON.parse(text));
    if (found.format !== format) throw new Error(`format ${JSON.stringify(found.format).slice(0, 40)}`);
    return found;
  } catch (error) {
    throw new UserError(
      {
        problem: 'This file does not say how what lies beside it was generated',
        found: error instanceof z.ZodError ? faultText(error, JSON.parse(text) as unknown) : messageOf(error),
        where: file,
        remedy: 'Give another folder, or remove this one.',
      },
      { cause: error },
    );
  }
}

function checkSame(
  { version, settings: found }: z.output<typeof header>,
  { version: expected, settings }: FolderPlan,
  file: string,
): void {
  if (version !== expected) throw different('version', expected, version, file);
  for (const [key, value] of Object.entries(settings)) {
    if (JSON.stringify(found[key]) !== JSON.stringify(value)) throw different(key, value, found[key], file);
  }
}

function different(what: string, expected: unknown, found: unknown, file: string): UserError {
  return new UserError({
    problem: `What lies here was generated with another ${what}`,
    expected: JSON.stringify(expected),
    found: JSON.stringify(found),
    where: file,
    remedy: 'Give another folder, or the settings that this file names.',
  });
}

const NEWLINE = 10;

/**
 * Cuts off the lines of a last item that are not whole.
 * @returns the number of whole ones
 * @throws UserError if what would be cut off are not the beginning of that item's lines
 */
async function keepWholeItems(
  samplesFile: string,
  { count, linesPerItem, draw }: FolderPlan,
): Promise<number> {
  let [lines, position, whole] = [0, 0, 0];
  const { handle } = await openPlainFile(samplesFile, 'samples file');
  const chunks: AsyncIterable<Buffer> = handle.createReadStream();
  for await (const chunk of chunks) {
    for (let i = chunk.indexOf(NEWLINE); i >= 0; i = chunk.indexOf(NEWLINE, i + 1)) {
      lines++;
      if (lines % linesPerItem === 0) whole = position + i + 1;
    }
    position += chunk.length;
  }
  const items = Math.floor(lines / linesPerItem);
  if (whole === position) return items;
  const next = items < count ? Buffer.from(draw(items).lines) : Buffer.of();
  const { bytes, isWhole } = await beginningOf(samplesFile, next.length, whole);
  if (!isWhole || !startsWith(next, bytes)) throw foreign('other lines at its end', samplesFile);
  await writing(samplesFile, () => truncate(samplesFile, whole));
  return items;
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
    // What says already where and why is told as it is.
    throw error instanceof UserError ? error : cannotWrite(folder, error);
  }
}

function cannotWrite(path: string, error: unknown): UserError {
  return new UserError(
    { problem: 'The samples cannot be written', found: messageOf(error), where: path },
    { cause: error },
  );
}
