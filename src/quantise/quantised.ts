/** A checkpoint with its matrices in fewer bits: from its cache, which is made first where there is none. */

import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { checkpointFingerprint } from '../checkpoint/hash.ts';
import { cachePath, findCache, type Cache } from './cache.ts';
import type { Origin } from './cacheFile.ts';
import { importWeights, stateOfFiles, type ImportOptions } from './importWeights.ts';
import { matricesOf } from './matrices.ts';
import { withCache } from './packedWeights.ts';
import type { Scheme } from './schemes.ts';

/**
 * @param folder where caches are kept
 * @throws as `importWeights`
 */
export async function quantised(
  checkpoint: Checkpoint,
  scheme: Scheme,
  folder: string,
  options: ImportOptions = {},
): Promise<{ checkpoint: Checkpoint; cache: Cache }> {
  const { weights, config, adapter, folder: model } = checkpoint;
  // An adapter's factors are added as they are, so many share one cache; whole weights of its own are in it.
  const isOwn = adapter !== undefined && adapter.replacements.size > 0;
  const origin: Origin = {
    scheme,
    fingerprint: isOwn
      ? checkpoint.fingerprint
      : await checkpointFingerprint({ folder: model, weightFiles: weights.files }),
    files: await stateOfFiles(weights.files),
  };
  const matrices = matricesOf(config);
  const file = cachePath(folder, origin);
  let cache = await findCache(file, origin, matrices);
  if (cache === undefined) {
    await importWeights(weights, origin, matrices, file, options);
    cache = (await findCache(file, origin, matrices))!;
  }
  return { checkpoint: { ...checkpoint, weights: await withCache(weights, cache) }, cache };
}
