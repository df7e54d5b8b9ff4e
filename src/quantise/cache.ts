/** Caches of quantised weights: finding one for a checkpoint, and whether its bytes are those of its import. */

import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { CancelledError, UserError } from '../base/errors.ts';
import { replaceFile } from '../files/replaceFile.ts';
import { readStoredTensors } from '../checkpoint/formats/safetensors.ts';
import { isLaidOutAs, planCache, type CacheLayout, type Origin } from './cacheFile.ts';
import { describeCache, SOUND, SUFFIX } from './cacheList.ts';
import type { Matrix } from './matrices.ts';
import { digestOf, stateOfFiles, type ImportOptions } from './importWeights.ts';
import type { Pool } from './pool.ts';

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
  const found = await describeCache(file);
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
 * @throws UserError naming the first that differs; CancelledError when `signal` aborts
 */
export async function verify(
  { file, layout, digests }: Cache,
  pool: Pool,
  { onProgress, signal }: Pick<ImportOptions, 'onProgress' | 'signal'> = {},
): Promise<void> {
  const next = layout.sections.entries();
  const work = async (): Promise<void> => {
    for (const [i, section] of next) {
      onProgress?.(i / layout.sections.length);
      if (signal?.aborted) throw new CancelledError('The check of the packed weights');
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
