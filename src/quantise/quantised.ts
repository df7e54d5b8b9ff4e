/** A checkpoint with its matrices in fewer bits: from its cache, which is made first where there is none. */

import path from 'node:path';
import { UserError } from '../base/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { checkpointFingerprint } from '../checkpoint/hash.ts';
import { lockFile } from '../files/lock.ts';
import { makeFolder } from '../files/makeFolder.ts';
import { isThere } from '../files/plainFile.ts';
import { cachePath, findCache, isKnownSound, rememberSound, verify, type Cache } from './cache.ts';
import type { Origin } from './cacheFile.ts';
import { importWeights, stateOfFiles, type ImportOptions } from './importWeights.ts';
import { matricesOf } from './matrices.ts';
import { withCache } from './packedWeights.ts';
import { openPool } from './pool.ts';
import type { Scheme } from './schemes.ts';

export interface QuantisedOptions extends ImportOptions {
  /** Told, from 0 to 1, while a cache that somebody wrote to is read as a whole. */
  onCheck?: (fraction: number) => void;
  /** Told why a cache that is there cannot be used; it is made again. */
  onDamage?: (message: string) => void;
}

/**
 * @param folder where caches are kept
 * @throws UserError if another process is making this cache; else as `importWeights`
 */
export async function quantised(
  checkpoint: Checkpoint,
  scheme: Scheme,
  folder: string,
  options: QuantisedOptions = {},
): Promise<{ checkpoint: Checkpoint; cache: Cache }> {
  const { weights, config } = checkpoint;
  const origin = await originOf(checkpoint, scheme);
  const matrices = matricesOf(config);
  const file = cachePath(folder, origin);
  const find = (): Promise<Cache | undefined> => findCache(file, origin, matrices);
  let cache = await sound(file, await find(), options);
  if (cache === undefined) {
    await makeFolder(path.dirname(file));
    const unlock = await lockFile(file);
    try {
      await importWeights(weights, origin, matrices, file, options);
      await rememberSound(file);
    } finally {
      await unlock();
    }
    cache = (await find())!;
  }
  return { checkpoint: { ...checkpoint, weights: await withCache(weights, cache) }, cache };
}

async function originOf(checkpoint: Checkpoint, scheme: Scheme): Promise<Origin> {
  const { weights, adapter, folder: model, fingerprint } = checkpoint;
  // An adapter's factors are added as they are, so many share one cache; whole weights of its own are in it.
  const isOwn = adapter !== undefined && adapter.replacements.size > 0;
  return {
    scheme,
    fingerprint: isOwn
      ? fingerprint
      : await checkpointFingerprint({ folder: model, weightFiles: weights.files }),
    files: await stateOfFiles(weights.files),
    model,
  };
}

/** A cache whose bytes are those of its import; one that somebody wrote to since is read as a whole. */
async function sound(
  file: string,
  cache: Cache | undefined,
  { workers, signal, onCheck, onDamage }: QuantisedOptions,
): Promise<Cache | undefined> {
  if (cache === undefined) {
    if (await isThere(file)) onDamage?.(unusable(file).message);
    return undefined;
  }
  if (await isKnownSound(file)) return cache;
  const pool = openPool(workers);
  try {
    await verify(cache, pool, {
      ...(onCheck !== undefined && { onProgress: onCheck }),
      ...(signal !== undefined && { signal }),
    });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    onDamage?.(error.message);
    return undefined;
  } finally {
    await pool.close();
  }
  // Of a folder that cannot be written to, it is read again next time.
  await rememberSound(file).catch(() => undefined);
  return cache;
}

function unusable(file: string): UserError {
  return new UserError({
    problem: 'The quantised weights are not whole, or of another version',
    where: file,
    remedy: 'The checkpoint is imported again.',
  });
}
