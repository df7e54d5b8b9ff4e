/**
 * Errors that a user can act on.
 *
 * Everything that can go wrong because of what a user gave us (a file, a folder, a setting) is thrown
 * as a `UserError`; it is caught at the rim only (command line, extension command, RPC) and shown
 * without a stack trace. Any other error is a defect of ours and keeps its stack.
 */

/** The four things an error message owes its reader. */
export interface ErrorDetails {
  /** What cannot be done, in a few words: "cannot read the checkpoint". */
  problem: string;
  expected?: string;
  found?: string;
  /** File, offset, tensor or line. */
  where?: string;
  /** What the user can do about it, as a sentence. */
  remedy?: string;
  /** The folder that was probably meant: it can be offered as a button. */
  instead?: { kind: 'model' | 'adapter'; folder: string };
  /** What has to be another one: choosing it can be offered as a button. */
  choose?: 'model';
}

/** A mistake in the input, told so that its reader can mend it. */
export class UserError extends Error {
  readonly details: ErrorDetails;

  constructor(details: ErrorDetails, options?: ErrorOptions) {
    super(describe(details), options);
    this.name = 'UserError';
    this.details = details;
  }
}

/** Thrown when the user stopped a long operation; never shown as a failure. */
export class CancelledError extends Error {
  constructor(what = 'The operation') {
    super(`${what} was cancelled.`);
    this.name = 'CancelledError';
  }
}

/** The text of anything thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For the default branch of a switch that must cover every case. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
}

function describe({ problem, expected, found, where, remedy }: ErrorDetails): string {
  const facts = [
    expected === undefined ? undefined : `expected ${expected}`,
    found === undefined ? undefined : `found ${found}`,
    where === undefined ? undefined : `in ${where}`,
  ].filter((fact) => fact !== undefined);
  const head = facts.length > 0 ? `${problem}: ${facts.join(', ')}.` : `${problem}.`;
  return remedy === undefined ? head : `${head} ${remedy}`;
}
