/** How a run was computed, for what asks its model once more. */

import { bundledModelOf } from '../checkpoint/bundled.ts';
import { bundledReference } from '../files/bundledModels.ts';
import type { Trace } from '../trace/schema.ts';
import type { CliContext } from './context.ts';
import type { ModelOptions } from './options.ts';

/** The options with the run's own format of the weights and, where it is a bundled one, its model, unless others are named. */
export async function asRun<Options extends ModelOptions>(
  { models }: CliContext,
  options: Options,
  { model: { weights, sha256 } }: Trace,
): Promise<Options> {
  const bundled = options.model === undefined ? await bundledModelOf(models, sha256) : undefined;
  return {
    ...options,
    ...(options.weights === 'auto' && weights !== undefined && { weights }),
    ...(bundled !== undefined && { model: bundledReference(bundled) }),
  };
}
