/** Caches of quantised weights in a folder: finding, checking, listing, removing. */

import { createHash } from 'node:crypto';
import { open, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { replaceFile } from '../files/replaceFile.ts';
import { readStoredTensors } from '../checkpoint/formats/safetensors.ts';
import { describedOrigin, isLaidOutAs, planCache, type CacheLayout, type Origin } from './cacheFile.ts';
import type { Matrix } from './matrices.ts';
import { digestOf, stateOfFiles } from './importWeights.ts';
import type { Pool } from './pool.ts';
import type { Scheme } from './schemes.ts';

const SUFFIX = '.safetensors';
const PARTIAL = `${SUFFIX}.part`;
/** Beside a cache: its size and time when its bytes were last known to be sound. */
const SOUND = '.sound';

/** Where the cache of a checkpoint and scheme lies, whether it is there or not. */
export function cachePath(folder: string, { fingerprint, scheme, files }: Origin): string {
  const state = createHash('sha256').update(files).digest('hex');
  return path.join(folder, `${fingerprint.slice(0, 16)}-${state.slice(0, 8)}-${scheme}${SUFFIX}`);
}

export interface Cache {
  file: string;
  layout: CacheLayout;
  digests: ReadonlyMap<string, string>;
}

/**
 * The cache if it is complete and belongs to these files; undefined if it must be made (again). Reads the header only:
 * `verify` reads the rest.
 */
export async function findCache(
  file: string,
  origin: Origin,
  matrices: readonly Matrix[],
): Promise<Cache | undefined> {
  if (!(await stat(file).catch(() => undefined))?.isFile()) return undefined;
  const layout = planCache(origin, matrices);
  const found = await describe(file);
  if (found === undefined) return undefined;
  const isSame =
    found.scheme === origin.scheme &&
    found.fingerprint === origin.fingerprint &&
    found.files === origin.files;
  const tensors = await readStoredTensors(file).catch(() => undefined);
  if (!isSame || tensors === undefined || !isLaidOutAs(tensors, layout)) return undefined;
  return { file, layout, digests: found.digests };
}

/** Whether nobody has written to a cache since its bytes were known to be sound: reading gigabytes takes seconds. */
export async function isKnownSound(file: string): Promise<boolean> {
  const known = await readFile(file + SOUND, 'utf8').catch(() => undefined);
  return known !== undefined && known === (await stateOfFiles([file]));
}

export async function rememberSound(file: string): Promise<void> {
  await replaceFile(file + SOUND, await stateOfFiles([file]));
}

/**
 * Reads a whole cache and compares every matrix with its digest.
 * @throws UserError naming the first that differs
 */
export async function verify({ file, layout, digests }: Cache, pool: Pool): Promise<void> {
  const next = layout.sections[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (const section of next) {
      const { name } = section.matrix;
      if ((await pool.run(digestOf(section, file))) !== digests.get(name)) throw damaged(file, name);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: pool.size }, work));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function damaged(file: string, matrix: string): UserError {
  return new UserError({
    problem: 'The quantised weights are damaged',
    expected: 'the bytes that were written at their import',
    found: `others in ${matrix}`,
    where: file,
    remedy: 'The checkpoint is imported again.',
  });
}

export interface ListedCache {
  file: string;
  bytes: number;
  /** Absent of a file that does not say. */
  scheme?: Scheme;
  /** The checkpoint's folder when it was made. */
  model?: string;
  /** Not complete: an import that was stopped, or another program's file of that name. */
  partial: boolean;
}

export async function listCaches(folder: string): Promise<ListedCache[]> {
  const names: string[] = await readdir(folder).catch(() => []);
  const listed: ListedCache[] = [];
  for (const name of names.toSorted()) {
    const file = path.join(folder, name);
    if (!name.endsWith(SUFFIX) && !name.endsWith(PARTIAL)) continue;
    // A part's length is the whole one from the start; what it takes on the disk is what was written.
    const { size, blocks } = await stat(file);
    const partial = name.endsWith(PARTIAL);
    const said = await describe(file);
    listed.push({
      file,
      bytes: partial ? blocks * 512 : size,
      partial,
      ...(said !== undefined && { scheme: said.scheme, model: said.model }),
    });
  }
  return listed;
}

export async function removeCache({ file }: ListedCache): Promise<void> {
  for (const own of [file, `${file}.done`, file + SOUND]) await rm(own, { force: true });
}

const Header = z
  .object({ ['__metadata__']: z.record(z.string(), z.string()) })
  .transform((header) => header['__metadata__']);
const MAX_HEADER = 16 << 20;

async function describe(file: string): Promise<ReturnType<typeof describedOrigin>> {
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
