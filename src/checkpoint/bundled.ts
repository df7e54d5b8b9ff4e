/** Which bundled model a run is of: a trace keeps no folder, but the sum of its model's bytes. */

import path from 'node:path';
import { BUNDLED_MODELS, type BundledModel } from '../files/bundledModels.ts';
import { checkpointHash } from './hash.ts';

/**
 * @param models folder of the bundled models
 * @param sha256 of the model, as a trace has it; undefined where it was not computed
 * @returns undefined where it is none of them
 */
export async function bundledModelOf(
  models: string,
  sha256: string | undefined,
): Promise<BundledModel | undefined> {
  if (sha256 === undefined) return undefined;
  for (const name of BUNDLED_MODELS) {
    const folder = path.join(models, name);
    const weightFiles = [path.join(folder, 'model.safetensors')];
    // One that is not there is none that the run could be of.
    const own = await checkpointHash({ folder, weightFiles }).catch(() => undefined);
    if (own === sha256) return name;
  }
  return undefined;
}
