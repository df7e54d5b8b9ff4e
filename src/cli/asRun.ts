/** How a run was computed, for what asks its model once more. */

import { UserError } from '../base/errors.ts';
import { bundledModelOf } from '../checkpoint/bundled.ts';
import { bundledReference } from '../files/bundledModels.ts';
import type { Trace } from '../trace/schema.ts';
import type { CliContext } from './context.ts';
import type { ModelOptions } from './options.ts';
import { withModel, type Session } from './session.ts';

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

/**
 * As `withModel`, with the model that made a run.
 * @throws UserError that says how a model is named, where another one was opened
 */
export async function withModelOf<T>(
  context: CliContext,
  { trace, options, silent = false }: { trace: Trace; options: ModelOptions; silent?: boolean },
  use: (session: Session) => Promise<T>,
): Promise<T> {
  try {
    return await withModel(context, await asRun(context, options, trace), use, { silent });
  } catch (error) {
    if (!(error instanceof UserError) || error.details.choose !== 'model') throw error;
    const remedy = 'Name it with --model DIR, or a bundled one with --model bundled:NAME.';
    throw new UserError({ ...error.details, remedy }, { cause: error });
  }
}
