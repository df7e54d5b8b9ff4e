/** The caches in a folder, by themselves: what each says of itself, and removing one. */

import { open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { lockFile } from '../files/lock.ts';
import { isThere } from '../files/plainFile.ts';
import { describedOrigin } from './cacheFile.ts';
import type { Scheme } from './schemes.ts';

export const SUFFIX = '.safetensors';
const PARTIAL = `${SUFFIX}.part`;
/** Beside a cache: its size and time when its bytes were last known to be sound. */
export const SOUND = '.sound';

/** The names that `cachePath` gives. A folder may hold other files of that suffix, such as a checkpoint. */
const NAME = /^[0-9a-f]{16}-[0-9a-f]{8}-(8bit|4bit|4bit-fast)\.safetensors(\.part)?$/;

export interface ListedCache {
  file: string;
  /** On the disk. */
  bytes: number;
  /** Absent, as `model`, of a file that does not say: it is of another version, or damaged. */
  scheme?: Scheme;
  /** The checkpoint's folder when it was made. */
  model?: string;
  /** Whether the checkpoint is no longer there. */
  orphaned: boolean;
  /** Not complete: an import that was stopped, or goes on. */
  partial: boolean;
}

/** @returns none for a folder that is not there */
export async function listCaches(folder: string): Promise<ListedCache[]> {
  const names: string[] = await readdir(folder).catch(() => []);
  const listed = await Promise.all(
    names
      .filter((name) => NAME.test(name))
      .toSorted()
      .map((name) => describe(path.join(folder, name))),
  );
  return listed.filter((cache) => cache !== undefined);
}

async function describe(file: string): Promise<ListedCache | undefined> {
  const info = await stat(file).catch(() => undefined);
  // Another process may have removed it just now.
  if (info?.isFile() !== true) return undefined;
  const partial = file.endsWith(PARTIAL);
  const said = await describeCache(file);
  return {
    file,
    // A part's length is the whole one from the start; what it takes on the disk is what was written.
    bytes: partial ? info.blocks * 512 : info.size,
    partial,
    orphaned: said !== undefined && !(await isThere(said.model)),
    ...(said !== undefined && { scheme: said.scheme, model: said.model }),
  };
}

/** @throws UserError if a process is making it */
export async function removeCache({ file }: Pick<ListedCache, 'file'>): Promise<void> {
  const unlock = await lockFile(file.replace(/\.part$/, ''));
  try {
    for (const own of [file, `${file}.done`, file + SOUND]) await rm(own, { force: true });
  } finally {
    await unlock();
  }
}

const Header = z
  .object({ ['__metadata__']: z.record(z.string(), z.string()) })
  .transform((header) => header['__metadata__']);
const MAX_HEADER = 16 << 20;

/** What a cache says of itself; undefined if it is none. */
export async function describeCache(file: string): Promise<ReturnType<typeof describedOrigin>> {
  const handle = await open(file);
  try {
    const prefix = new Uint8Array(8);
    if ((await handle.read(prefix, 0, 8, 0)).bytesRead < 8) return undefined;
    const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
    if (length > MAX_HEADER) return undefined;
    const text = new Uint8Array(length);
    await handle.read(text, 0, length, 8);
    const header = Header.safeParse(JSON.parse(new TextDecoder().decode(text)));
    return header.success ? describedOrigin(header.data) : undefined;
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}
