/** Arguments that cannot be used, whatever the files hold: the process ends with another code than for what failed. */

import { extname } from 'node:path';
import { UserError } from '../base/errors.ts';

export class UsageError extends UserError {
  override readonly name = 'UsageError';
}

/** What is wrong about an argument is told before anything is read. @throws UsageError for a UserError */
export function asUsage<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    throw error instanceof UserError ? new UsageError(error.details) : error;
  }
}

/** @throws UsageError if a file to write has another ending; a reader, and we, go by it */
export function requireEnding(file: string, endings: readonly string[], what: string): void {
  if (endings.some((ending) => file.toLowerCase().endsWith(ending))) return;
  throw new UsageError({
    problem: `${what} is not written in this form`,
    expected: `a name that ends in ${endings.join(' or ')}`,
    found: extname(file) === '' ? `${file}, without an ending` : file,
    remedy: `Name the file so, for example "${file.slice(0, file.length - extname(file).length)}${endings[0]}".`,
  });
}
