/**
 * Imports a checkpoint: quantises its matrices once into a cache file. It streams (a few megabytes of memory for each
 * thread, whatever the checkpoint), goes on where a killed import stopped, and has the file there whole or not at all.
 */

import { open, readFile, rename, rm, stat, appendFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../files/makeFolder.ts';
import { CancelledError, UserError } from '../base/errors.ts';
import type { Weights } from '../checkpoint/weights.ts';
import { freeSpace } from '../files/freeSpace.ts';
import { BYTES } from '../tensor/dtype.ts';
import { planCache, type CacheLayout, type Origin, type Section } from './cacheFile.ts';
import type { Matrix } from './matrices.ts';
import { openPool, type Pool } from './pool.ts';
import type { Task } from './tasks.ts';

/** Bytes of the checkpoint in one task: many tasks for a matrix, so that threads finish together. */
const TASK_BYTES = 8 << 20;

export interface ImportOptions {
  /** The bundle of ./worker.ts and how many threads; absent: in this thread. */
  workers?: { script: string; count: number };
  /** Told after each task, from 0 to 1. */
  onProgress?: (fraction: number) => void;
  signal?: AbortSignal;
}

/** Sizes and times of weight files: equal as long as nobody writes to them. */
export async function stateOfFiles(files: readonly string[]): Promise<string> {
  const stats = await Promise.all(files.map((file) => stat(file, { bigint: true })));
  return stats.map(({ size, mtimeNs }) => `${size}@${mtimeNs}`).join();
}

/**
 * Writes the cache of a checkpoint.
 * @param file where it will lie
 * @throws CancelledError when `signal` aborts; what is done is kept for the next time
 * @throws UserError if the disk is full, the checkpoint changes meanwhile, or holds a number that is none
 */
export async function importWeights(
  weights: Weights,
  origin: Origin,
  matrices: readonly Matrix[],
  file: string,
  options: ImportOptions = {},
): Promise<void> {
  const layout = planCache(origin, matrices);
  await makeFolder(path.dirname(file));
  const partial = new PartialFile(file, layout);
  const pool = openPool(options.workers);
  try {
    await partial.open(pool);
    await new Import(weights, layout, partial, pool, options).run();
    if ((await stateOfFiles(weights.files)) !== origin.files) throw changed(weights);
    await partial.complete(planCache(origin, matrices, partial.digests).header);
  } catch (error) {
    throw isDiskFull(error) ? noRoom(file, layout.size) : error;
  } finally {
    await pool.close();
  }
}

class Import {
  private readonly weights: Weights;
  private readonly layout: CacheLayout;
  private readonly partial: PartialFile;
  private readonly pool: Pool;
  private readonly options: ImportOptions;
  private done = 0;

  constructor(
    weights: Weights,
    layout: CacheLayout,
    partial: PartialFile,
    pool: Pool,
    options: ImportOptions,
  ) {
    this.weights = weights;
    this.layout = layout;
    this.partial = partial;
    this.pool = pool;
    this.options = options;
  }

  /** As many matrices at a time as there are threads, each task by task. */
  async run(): Promise<void> {
    const { sections } = this.layout;
    const total = sections.reduce((sum, { matrix }) => sum + numbersOf(matrix), 0);
    const left = sections.filter(({ matrix }) => {
      const isDone = this.partial.digests.has(matrix.name);
      if (isDone) this.done += numbersOf(matrix);
      return !isDone;
    });
    const next = left[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (const section of next) {
        for (const task of tasksOf(section, this.weights, this.partial.path)) {
          if (this.options.signal?.aborted) throw new CancelledError('The import');
          await this.pool.run(task);
          this.done += task.rows * task.columns;
          this.options.onProgress?.(this.done / total);
        }
        await this.partial.record(section, await this.pool.run(digestOf(section, this.partial.path)));
      }
    };
    // Settled, not only raced: a task that still writes must not outlive the import.
    const ends = await Promise.allSettled(Array.from({ length: this.pool.size }, work));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }
}

type QuantiseTask = Extract<Task, { kind: 'quantise' }>;

function* tasksOf(
  { matrix, format, layout, parts }: Section,
  weights: Weights,
  file: string,
): Generator<QuantiseTask> {
  const { columns } = matrix;
  let above = 0;
  for (const { weight, rows } of matrix.sources) {
    const source = weights.get(weight, [rows, columns]);
    const step = Math.max(1, Math.floor(TASK_BYTES / (columns * BYTES[source.dtype])));
    for (let firstRow = 0; firstRow < rows; firstRow += step) {
      const row = above + firstRow;
      const perRow = [layout.blocks * layout.data[2], layout.blocks * 4, Math.ceil(layout.blocks / 2)];
      yield {
        kind: 'quantise',
        weight,
        source,
        firstRow,
        rows: Math.min(step, rows - firstRow),
        columns,
        format,
        target: { file, offsets: parts.map(({ offset }, i) => offset + row * perRow[i]!) },
      };
    }
    above += rows;
  }
}

/** The task that takes a matrix's digest. */
export function digestOf({ parts }: Section, file: string): Task {
  return { kind: 'digest', file, ranges: parts.map(({ offset, length }) => ({ offset, length })) };
}

function numbersOf({ sources, columns }: Matrix): number {
  return sources.reduce((sum, { rows }) => sum + rows, 0) * columns;
}

/**
 * A cache that is being written, and beside it a list of the matrices that are done with their digests. Another run
 * believes the list only where the digests are those of the bytes.
 */
class PartialFile {
  readonly path: string;
  readonly digests = new Map<string, string>();
  private readonly file: string;
  private readonly journal: string;
  private readonly layout: CacheLayout;

  constructor(file: string, layout: CacheLayout) {
    this.file = file;
    this.path = `${file}.part`;
    this.journal = `${file}.part.done`;
    this.layout = layout;
  }

  async open(pool: Pool): Promise<void> {
    const { header, size } = this.layout;
    if (await this.isOurs()) return this.believe(pool);
    await checkRoom(path.dirname(this.file), size);
    await rm(this.journal, { force: true });
    const handle = await open(this.path, 'w');
    try {
      await handle.write(header, 0, header.length, 0);
      await handle.truncate(size);
    } finally {
      await handle.close();
    }
  }

  async record({ matrix }: Section, digest: string): Promise<void> {
    this.digests.set(matrix.name, digest);
    await appendFile(this.journal, `${matrix.name} ${digest}\n`);
  }

  async complete(header: Uint8Array): Promise<void> {
    const handle = await open(this.path, 'r+');
    try {
      await handle.write(header, 0, header.length, 0);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(this.path, this.file);
    await rm(this.journal, { force: true });
  }

  private async isOurs(): Promise<boolean> {
    const { header, size } = this.layout;
    const handle = await open(this.path).catch(() => undefined);
    if (handle === undefined) return false;
    try {
      const found = new Uint8Array(header.length);
      await handle.read(found, 0, found.length, 0);
      return Buffer.compare(found, header) === 0 && (await handle.stat()).size === size;
    } finally {
      await handle.close();
    }
  }

  private async believe(pool: Pool): Promise<void> {
    const text = await readFile(this.journal, 'utf8').catch(() => '');
    const sections = new Map(this.layout.sections.map((section) => [section.matrix.name, section]));
    for (const line of text.split('\n')) {
      const [name = '', digest] = line.split(' ');
      const section = sections.get(name);
      if (section !== undefined && (await pool.run(digestOf(section, this.path))) === digest)
        this.digests.set(name, digest);
    }
  }
}

async function checkRoom(folder: string, size: number): Promise<void> {
  const free = await freeSpace(folder);
  if (free < size) throw noRoom(folder, size, free);
}

function noRoom(where: string, size: number, free?: number): UserError {
  return new UserError({
    problem: 'The disk has no room for the quantised weights',
    expected: `${gigabytes(size)} free`,
    ...(free !== undefined && { found: gigabytes(free) }),
    where,
    remedy: 'Free some space, remove older ones (ilvr caches), or choose fewer bits.',
  });
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function changed(weights: Weights): UserError {
  return new UserError({
    problem: 'The checkpoint changed while it was imported',
    where: weights.files.join(', '),
    remedy: 'Wait until nothing writes to it, and open it again.',
  });
}
