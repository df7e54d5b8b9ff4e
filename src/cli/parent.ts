/** Commands that the extension starts as children: what they tell it of their end. */

import { messageOf, UserError } from '../base/errors.ts';
import type { CliContext } from './context.ts';

/** Runs a command whose failure the parent, if there is one, is told in words. */
export async function tellingParent<T>({ tellParent }: CliContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const where = error instanceof UserError ? error.details.where : undefined;
    tellParent?.({ type: 'failed', message: messageOf(error), ...(where !== undefined && { where }) });
    throw error;
  }
}
