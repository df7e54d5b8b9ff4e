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
  const { weights, config } = checkpoint;
  const origin: Origin = {
    scheme,
    // Without an adapter, which is added as it is: many share one cache.
    fingerprint: await checkpointFingerprint({ folder: checkpoint.folder, weightFiles: weights.files }),
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
