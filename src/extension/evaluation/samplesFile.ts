/** The samples of a file as rows: what is shown of each is kept, the rest is read again when it is wanted. */

import { basename } from 'node:path';
import { messageOf, UserError } from '../../base/errors.ts';
import { rereadLine } from '../../dataset/lines.ts';
import type { SamplePicture } from '../../dataset/samplePicture.ts';
import { parseSample, rootAboveOf, type Sample } from '../../dataset/samples.ts';
import { eachSample, noSamples } from '../../evaluation/samples.ts';
import { fileHash, sizeOfFile } from '../../files/plainFile.ts';
import { pictureSize } from '../../files/pictureSize.ts';
import { MAX_PICTURE_PIXELS, MAX_PICTURE_RATIO, MAX_PICTURE_SIDE } from '../../trace/picture.ts';
import { MAX_CELL_LETTERS, MAX_TABLE_ROWS, type RowPicture } from '../../protocol/evaluation.ts';

/** Of a picture that is shown as a thumbnail; larger files are not worth the wait. */
const MAX_THUMBNAIL_BYTES = 2 ** 24;
/** Samples between two looks at what else the host has to do. */
const READ_AT_ONCE = 200;

/** What a row needs of its sample. */
export interface SampleEntry {
  line: number;
  id?: string;
  question: string;
  truth: string;
  size?: number;
  problem?: string;
  /** Lower-case text to search in. */
  searched: string;
  picture?: SamplePicture;
  /** Its bytes in the file. */
  offset: number;
  length: number;
}

export class SamplesFile {
  readonly file: string;
  readonly entries: SampleEntry[] = [];
  reading = true;
  /** Whether there are more than a table shows. */
  cut = false;
  /** sha256 of the file; absent until it is known. */
  hash: string | undefined;
  /** Why it cannot be read. */
  failure: string | undefined;
  private root: string | undefined;
  private readonly signal: AbortSignal;
  private readonly changed: () => void;

  /** @param changed called when more is known */
  constructor(file: string, signal: AbortSignal, changed: () => void) {
    this.file = file;
    this.signal = signal;
    this.changed = changed;
  }

  /** Folder above the file that its pictures' paths count from; undefined: its own. */
  get pictures(): string | undefined {
    return this.root;
  }

  /** Reads the whole file; resolves when that is done. Never rejects. */
  async read(): Promise<void> {
    try {
      this.hash = await fileHash(this.file, 'samples file');
      this.root = await rootAboveOf(this.file);
      await this.readEntries();
      if (this.entries.length === 0) throw noSamples(this.file);
    } catch (error) {
      this.failure = messageOf(error);
    } finally {
      this.reading = false;
      this.changed();
    }
  }

  /** A sample with all that it holds. @throws UserError if the file has changed since */
  async sample({ line, offset, length }: SampleEntry): Promise<Sample> {
    const text = await rereadLine(this.file, { offset, length });
    const root = this.root;
    return parseSample({ number: line, text, offset, length }, this.file, { plans: false, root });
  }

  /** Bytes of a sample's first picture, if they are of a size and format that a page may decode. */
  async picture({ picture }: SampleEntry): Promise<RowPicture> {
    if (picture === undefined) return {};
    try {
      if (picture.path !== undefined) checkBytes(await sizeOfFile(picture.path, 'picture'), picture.name);
      const bytes = await picture.read();
      checkBytes(bytes.length, picture.name);
      const size = pictureSize(bytes);
      if (size === undefined) return { problem: `${picture.name} is of a format without a small picture` };
      checkSize(size, picture.name);
      return { bytes, ...size };
    } catch (error) {
      return { problem: messageOf(error) };
    }
  }

  private async readEntries(): Promise<void> {
    for await (const { sample, line } of eachSample(this.file, { pictures: this.root })) {
      if (this.signal.aborted) return;
      if (this.entries.length >= MAX_TABLE_ROWS) {
        this.cut = true;
        return;
      }
      this.entries.push(entryOf(sample, line));
      if (this.entries.length % READ_AT_ONCE !== 0) continue;
      this.changed();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function entryOf(sample: Sample, { offset, length }: { offset: number; length: number }): SampleEntry {
  const { line, mapId, map, problem, images } = sample;
  const question = sample.question.replaceAll('<image>', ' ').trim().slice(0, MAX_CELL_LETTERS);
  const truth = (sample.answer ?? '').slice(0, MAX_CELL_LETTERS);
  const id = mapId?.slice(0, MAX_CELL_LETTERS);
  return {
    line,
    ...(id !== undefined && { id }),
    question,
    truth,
    ...(map !== undefined && { size: map.length }),
    ...(problem !== undefined && { problem: problem.message }),
    searched: `${id ?? ''}\n${question}\n${truth}`.toLowerCase(),
    ...(images[0] !== undefined && { picture: images[0] }),
    offset,
    length,
  };
}

function checkBytes(bytes: number, name: string): void {
  if (bytes <= MAX_THUMBNAIL_BYTES) return;
  throw new UserError({
    problem: 'This picture is too large for a small one',
    expected: `at most ${MAX_THUMBNAIL_BYTES} bytes`,
    found: `${bytes} bytes`,
    where: basename(name),
  });
}

function checkSize({ width, height }: { width: number; height: number }, name: string): void {
  const [long, short] = [Math.max(width, height), Math.min(width, height)];
  const fits =
    short > 0 &&
    long <= MAX_PICTURE_SIDE &&
    width * height <= MAX_PICTURE_PIXELS &&
    long <= MAX_PICTURE_RATIO * short;
  if (fits) return;
  throw new UserError({
    problem: 'This picture is too large to be shown',
    expected: `at most ${MAX_PICTURE_SIDE} pixels a side and ${MAX_PICTURE_PIXELS} together`,
    found: `${width} × ${height}`,
    where: basename(name),
  });
}
