/** A trace with its arrays: what whoever shows one works with. */

import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { readPlainFile } from '../files/plainFile.ts';
import { bytesOf, readBytes } from '../trace/arrays.ts';
import { MAX_PICTURE_BYTES, refused } from '../trace/picture.ts';
import { SliceReader } from '../trace/queries.ts';
import { RunMaps } from '../trace/runMaps.ts';
import type { Trace, TracePicture } from '../trace/schema.ts';
import { Slices } from '../trace/slices.ts';
import { FileContainer, type Container } from './container.ts';
import { MAX_CHARACTERS, readManifest, type ReadManifest } from './manifest.ts';

/** Of slices that a process without a window keeps: one block's maps at a time are drawn. */
const BUDGET = 2 ** 24;

/** A trace and the container of its arrays. The trace may still grow. */
export class OpenTrace {
  readonly trace: Trace;
  readonly container: Container;
  readonly reader: SliceReader;
  /** Its maps, as far as their slices were loaded. */
  readonly maps: RunMaps;

  constructor(trace: Trace, container: Container) {
    this.trace = trace;
    this.container = container;
    this.reader = new SliceReader(trace, container);
    this.maps = new RunMaps(trace, new Slices((query, signal) => this.reader.read(query, signal), BUDGET));
  }

  /**
   * A picture's PNG, as drawings take it (src/render).
   * @throws UserError if it is larger than any that is shown, or not the one that was written
   */
  async picture({ name, width, height, png }: TracePicture) {
    if (bytesOf(png) > MAX_PICTURE_BYTES) {
      throw refused({ name }, `a PNG file of at most ${MAX_PICTURE_BYTES} bytes`, 'a larger one');
    }
    return { name, width, height, png: await readBytes(this.container, png), sha256: png.sha256 };
  }

  async close(): Promise<void> {
    await this.container.close();
  }
}

/**
 * Opens a trace's file, of any version and form.
 * @throws UserError if it is none, or its arrays are not there or cut off
 */
export async function openTrace(file: string): Promise<OpenTrace> {
  const bytes = await readPlainFile(file, { what: 'trace', maxBytes: MAX_CHARACTERS });
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) throw forNumPy(file);
  if (isPicture(bytes)) throw aPicture(file);
  const read = await readManifest(new TextDecoder().decode(bytes), path.basename(file));
  return new OpenTrace(read.trace, await containerOf(read, file));
}

/** First bytes of PNG, JPEG, GIF and what is in a RIFF container, such as WebP. */
const PICTURES = [
  [0x89, 0x50, 0x4e, 0x47],
  [0xff, 0xd8, 0xff],
  [0x47, 0x49, 0x46, 0x38],
  [0x52, 0x49, 0x46, 0x46],
];

function isPicture(bytes: Uint8Array): boolean {
  return PICTURES.some((start) => start.every((byte, i) => bytes[i] === byte));
}

function aPicture(where: string): UserError {
  return new UserError({
    problem: 'This is a picture, not the trace of a run about one',
    expected: 'a trace, whose name ends in .ilvr.json',
    found: 'a picture',
    where,
    remedy: 'Ask about it first: `ilvr reason PICTURE --trace OUT.ilvr.json` writes one.',
  });
}

/** An NPZ file is an archive, which begins so. */
function forNumPy(where: string): UserError {
  return new UserError({
    problem: 'This is a trace for NumPy, which is not read back',
    expected: 'a trace as JSON',
    found: 'an archive',
    where,
    remedy: 'Open the trace that it was exported from.',
  });
}

/**
 * The container of a manifest that was read from `file`.
 * @throws UserError if it is not there or cut off
 */
export async function containerOf({ trace, arrays }: ReadManifest, file: string): Promise<Container> {
  if (!('file' in arrays)) return arrays;
  const container = await openArrays(path.join(path.dirname(file), arrays.file));
  try {
    requireLength(container, trace, file);
    return container;
  } catch (error) {
    await container.close();
    throw error;
  }
}

async function openArrays(file: string): Promise<FileContainer> {
  try {
    return await FileContainer.open(file);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      {
        problem: 'The arrays of this trace cannot be opened',
        expected: 'a file beside it',
        found: error.details.found ?? error.message,
        where: file,
        remedy:
          'A trace in two files needs both: copy this one beside the other, or export the trace as one file.',
      },
      { cause: error },
    );
  }
}

/** @throws UserError if a container ends before what refers to it does */
export function requireLength({ size }: Container, { arrays: { bytes } }: Trace, where: string): void {
  if (size >= bytes) return;
  throw new UserError({
    problem: 'The arrays of this trace are cut off',
    expected: `${bytes} bytes`,
    found: `${size} bytes`,
    where,
    remedy: 'Copy the file of its arrays again, together with its manifest.',
  });
}
