/**
 * Pictures that samples name: by a path, or written into the line as base64, bare or as a data URL. Those in a
 * line are read again when they are wanted, so that a file of thousands is never in memory.
 */

import { stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, resolve, win32 } from 'node:path';
import { UserError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { readPictureFile } from '../files/pictureFile.ts';
import { isFile, kindOf } from '../files/plainFile.ts';
import { rereadLine, type Line } from './lines.ts';

export interface SamplePicture {
  /** Of its file, or of the samples file with line and place; no other picture has it. */
  id: string;
  /** For people. */
  name: string;
  /** Absolute path of its file; absent for one that is written into the line. */
  path?: string;
  /** @throws UserError if it cannot be read */
  read: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** Where a sample stands, and where its paths count from. */
export interface SamplePlace {
  file: string;
  line: Line;
  /** Absent: the samples file's folder. */
  root?: string | undefined;
}

/** No path is longer on any system. */
const MAX_PATH = 4096;
/** Folders above the samples file in which a picture is looked for, to tell the root. */
const MAX_ABOVE = 6;
const DATA_URL = /^data:([^,]{0,200}),/i;
/** How the picture formats begin, as base64: PNG, JPEG, GIF, WebP, BMP, TIFF twice, AVIF and HEIF. */
const BASE64_STARTS = ['iVBORw0KGgo', '/9j/', 'R0lGOD', 'UklGR', 'Qk', 'SUkqA', 'TU0AK', 'AAAA'];
/** Shorter than any picture file. */
const MIN_BASE64 = 48;

/**
 * The picture that a field of a sample names.
 * @param field where it stands in the line's object
 * @throws UserError if it is an absolute path or an address, if no such file exists, or if it is no base64
 */
export async function pictureOf(
  text: string,
  field: readonly (string | number)[],
  place: SamplePlace,
): Promise<SamplePicture> {
  const where = `${place.file}:${place.line.number}`;
  if (DATA_URL.test(text) || isBase64(text)) return inlinePicture(text, field, place);
  if (text.length > MAX_PATH) {
    throw new UserError({
      problem: 'This sample has something else than a picture',
      expected: 'a path, or a picture as base64',
      found: `${text.length} characters at ${field.join('.')}`,
      where,
    });
  }
  checkRelative(text, where);
  const path = resolve(rootOf(place), text);
  if (!(await isFile(path))) throw await missing(text, path, where, place);
  return { id: path, name: basename(path), path, read: () => readPictureFile(path) };
}

function rootOf({ file, root }: SamplePlace): string {
  return root ?? dirname(resolve(file));
}

/** An absolute path or address means something else on every machine, so a dataset may not hold one. */
function checkRelative(path: string, where: string): void {
  const found = path.slice(0, 200);
  if (/^[a-z][\w+.-]*:\/\//i.test(path)) {
    throw new UserError({
      problem: 'This sample names a picture by its address',
      expected: 'a path relative to the samples file',
      found,
      where,
      remedy: 'Nothing is loaded from elsewhere: put the picture beside the file and write its path.',
    });
  }
  if (!isAbsolute(path) && !win32.isAbsolute(path)) return;
  throw new UserError({
    problem: 'This sample names a picture by an absolute path',
    expected: 'a path relative to the samples file',
    found,
    where,
    remedy: 'Put the pictures beside the file and write their paths relative to it.',
  });
}

async function missing(text: string, path: string, where: string, place: SamplePlace): Promise<UserError> {
  const above = await rootAbove(text, place.file);
  const other = await stat(path).catch(() => undefined);
  const option = '--pictures, or "pictures" in the config of a training run';
  return new UserError({
    problem: 'A picture of this sample is missing',
    expected: `a file at ${path.slice(0, 300)}`,
    ...(other !== undefined && { found: kindOf(other) }),
    where,
    remedy:
      above === undefined
        ? `Paths count from the samples file's folder; name another with ${option}.`
        : `It is there if paths count from ${above}: name that folder with ${option}.`,
  });
}

/** The folder above a samples file from which a path leads to a file, the nearest. */
export async function rootAbove(path: string, file: string): Promise<string | undefined> {
  for (const folder of foldersAround(file).slice(1)) if (await isFile(resolve(folder, path))) return folder;
  return undefined;
}

/** A samples file's folder and those above it, the nearest first. */
export function foldersAround(file: string): string[] {
  const folders = [dirname(resolve(file))];
  while (folders.length <= MAX_ABOVE && dirname(folders.at(-1)!) !== folders.at(-1))
    folders.push(dirname(folders.at(-1)!));
  return folders;
}

function isBase64(text: string): boolean {
  return (
    text.length >= MIN_BASE64 &&
    BASE64_STARTS.some((start) => text.startsWith(start)) &&
    /^[\w+/\s-]+={0,2}\s*$/.test(text)
  );
}

function inlinePicture(
  text: string,
  field: readonly (string | number)[],
  { file, line }: SamplePlace,
): SamplePicture {
  const place = field.join('.');
  const where = `${file}:${line.number}`;
  // Here, so that a fault shows before anything is asked; the bytes are not kept.
  decoded(text, where);
  // Not the line's text, which holds the picture.
  const { number, offset, length } = line;
  return {
    id: `${resolve(file)}:${number}#${place}`,
    name: `line ${number}, ${place}`,
    read: async () => {
      const value = field.reduce<unknown>(
        (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
        parseJson(await rereadLine(file, { offset, length })),
      );
      return decoded(typeof value === 'string' ? value : '', where);
    },
  };
}

function decoded(text: string, where: string): Uint8Array<ArrayBuffer> {
  const [head, about] = DATA_URL.exec(text) ?? [''];
  const body = text.slice(head.length);
  const isEncoded = about === undefined || /;\s*base64$/i.test(about);
  if (isEncoded && body.length > 0 && /^[\w+/\s-]+={0,2}\s*$/.test(body)) {
    const bytes = Buffer.from(body, 'base64');
    if (bytes.length > 0) return new Uint8Array(bytes);
  }
  throw new UserError({
    problem: 'A picture in this sample cannot be decoded',
    expected: 'base64, bare or in a data URL',
    found: `${head.slice(0, 40)}${body.slice(0, 20)}…`,
    where,
  });
}
