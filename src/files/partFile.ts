/**
 * A file that comes piece by piece, in several runs of the program if need be. What there is of it lies in a part
 * beside it, `FILE.MARK.part`, which stays when the program ends; the file has its name only when it is whole.
 */

import type { Hash } from 'node:crypto';
import { lstat, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { CancelledError, UserError } from '../base/errors.ts';
import { kindOf } from './plainFile.ts';
import { cannotWrite, isSystemError, syncFolder } from './replaceFile.ts';

/** What a part is read in when it is gone on with. */
const CHUNK_BYTES = 1 << 20;

export interface PartOptions {
  /** Says what the whole will be, in letters and digits: a part of anything else is not gone on with. */
  mark: string;
  /** Length of the whole. */
  bytes: number;
  /** Gets all bytes in their order, also those that an earlier run has left. */
  newHash: () => Hash;
  signal?: AbortSignal | undefined;
}

/** Bytes of a file that have come in an earlier run. */
export async function partLength(file: string, mark: string): Promise<number> {
  const info = await lstat(partName(file, mark)).catch(() => undefined);
  return info?.isFile() === true ? info.size : 0;
}

export class PartFile {
  /** Bytes that are there. */
  length = 0;
  readonly path: string;
  private readonly file: string;
  private readonly options: PartOptions;
  private readonly handle: FileHandle;
  private hash: Hash;

  private constructor(file: string, options: PartOptions, handle: FileHandle) {
    this.path = partName(file, options.mark);
    this.file = file;
    this.options = options;
    this.handle = handle;
    this.hash = options.newHash();
  }

  /**
   * Begins a file, or goes on with it; removes parts of what it was to be before.
   * @throws UserError if the disk refuses or something else than a file is in the place; CancelledError
   */
  static async open(file: string, options: PartOptions): Promise<PartFile> {
    await removeOtherParts(file, options.mark);
    const name = partName(file, options.mark);
    const part = new PartFile(file, options, await told(name, () => openOwn(name)));
    try {
      await part.readBack();
      return part;
    } catch (error) {
      await part.close();
      throw error;
    }
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.hash.update(bytes);
    for (let done = 0; done < bytes.length;) {
      const at = this.length;
      const { bytesWritten } = await told(this.path, () => this.handle.write(bytes, done, undefined, at));
      done += bytesWritten;
      this.length += bytesWritten;
    }
  }

  /** Drops what is there. */
  async restart(): Promise<void> {
    await told(this.path, () => this.handle.truncate(0));
    this.length = 0;
    this.hash = this.options.newHash();
  }

  /** Digest of what is there, as hex. */
  digest(): string {
    return this.hash.copy().digest('hex');
  }

  /** Gives the file its name. */
  async finish(): Promise<void> {
    await told(this.path, () => this.handle.sync());
    await this.close();
    await told(this.file, () => rename(this.path, this.file));
    await syncFolder(path.dirname(this.file));
  }

  /** Deletes what is there. */
  async discard(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }

  /** Keeps what is there; may be called again. */
  async close(): Promise<void> {
    await this.handle.close();
  }

  /** What an earlier run has left goes into the hash; more than the whole cannot be of it. */
  private async readBack(): Promise<void> {
    const { size } = await this.handle.stat();
    if (size > this.options.bytes) return this.restart();
    const stream = this.handle.createReadStream({
      start: 0,
      end: size,
      autoClose: false,
      highWaterMark: CHUNK_BYTES,
    }) as AsyncIterable<Uint8Array>;
    for await (const chunk of stream) {
      if (this.options.signal?.aborted === true) throw new CancelledError();
      this.hash.update(chunk);
      this.length += chunk.length;
    }
  }
}

function partName(file: string, mark: string): string {
  return `${file}.${mark}.part`;
}

async function openOwn(name: string): Promise<FileHandle> {
  const info = await lstat(name).catch(() => undefined);
  if (info === undefined) return open(name, 'wx+');
  if (info.isFile()) return open(name, 'r+');
  throw new UserError({
    problem: 'cannot write there',
    expected: 'a file, or a name that is free',
    found: info.isSymbolicLink() ? 'a link' : kindOf(info),
    where: name,
    remedy: 'Choose another folder, or move it away.',
  });
}

async function removeOtherParts(file: string, mark: string): Promise<void> {
  const [folder, base] = [path.dirname(file), path.basename(file)];
  for (const name of await readdir(folder)) {
    const isPart = name.startsWith(`${base}.`) && /^[0-9a-z]+\.part$/.test(name.slice(base.length + 1));
    if (isPart && name !== `${base}.${mark}.part`) await rm(path.join(folder, name), { force: true });
  }
}

async function told<T>(where: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw isSystemError(error) ? cannotWrite(where, error) : error;
  }
}
