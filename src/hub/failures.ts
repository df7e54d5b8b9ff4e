/** What can go wrong with a server, and whether it helps to ask again. */

import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledError, UserError } from '../base/errors.ts';

/** Before each new attempt. */
export const RETRY_DELAYS_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000, 16_000];
/** A server that asks for more is told of, not waited for. */
const LONGEST_WAIT_MS = 120_000;
/** Of a server's own words. */
const MAX_WORDS = 200;

/** The server wants to know who asks, or does not let them in. */
export class AccessError extends UserError {
  /** Whether it was told who asks. */
  readonly withToken: boolean;

  constructor(found: string, where: string, withToken: boolean) {
    super({
      problem: withToken
        ? 'The server does not let this access token in'
        : 'The server gives this model to known users only, or has no such model',
      found,
      where,
      remedy:
        'Check the name; open the page of the model and accept its terms if it asks for that; then give an access token that may read it.',
    });
    this.name = 'AccessError';
    this.withToken = withToken;
  }
}

/** A failure that may pass; `failure` is what is told if it does not. */
export class PassingError extends Error {
  readonly failure: UserError;
  /** How long the server asks to wait. */
  readonly waitMs: number;

  constructor(failure: UserError, waitMs = 0) {
    super(failure.message, { cause: failure });
    this.name = 'PassingError';
    this.failure = failure;
    this.waitMs = waitMs;
  }
}

export interface RetryOptions {
  signal?: AbortSignal | undefined;
  /** Before each new attempt; so many are made. */
  delaysMs?: readonly number[] | undefined;
  /** Of a number that grows with what was gained: attempts are counted from the last gain. */
  gained?: () => number;
}

/**
 * Tries again while a failure may pass.
 * @throws what the last attempt failed with, for people; CancelledError
 */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, delaysMs = RETRY_DELAYS_MS, gained = () => 0 } = options;
  let last = gained();
  for (let failures = 0; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof PassingError)) throw error;
      if (gained() > last) failures = 0;
      last = gained();
      const delay = delaysMs[failures];
      if (delay === undefined || error.waitMs > LONGEST_WAIT_MS) throw error.failure;
      await pause(Math.max(delay, error.waitMs), signal);
    }
  }
}

/** What a status other than success means. */
export function failureOf(
  status: number,
  headers: Headers,
  where: string,
  withToken: boolean,
): UserError | PassingError {
  const words = headers.get('x-error-message')?.slice(0, MAX_WORDS) ?? '';
  const found = `status ${status}${words === '' ? '' : ` (${words})`}`;
  if (status === 401 || status === 403) return new AccessError(found, where, withToken);
  if (status === 404) {
    return new UserError({
      problem: 'The server has no such model, revision or file',
      found,
      where,
      remedy: 'Check the name and the revision.',
    });
  }
  const busy = status === 429 || status === 408 || status >= 500;
  const wait = busy ? waitOf(headers) : 0;
  const failure = new UserError({
    problem: status === 429 ? 'The server has had too many requests' : 'The server cannot answer',
    found: wait > 0 ? `${found}; it asks to wait ${Math.ceil(wait / 1000)} seconds` : found,
    where,
    remedy: 'Try again later; what has come is kept.',
  });
  return busy ? new PassingError(failure, wait) : failure;
}

/** Milliseconds of Retry-After, which is a number of seconds or a date. */
function waitOf(headers: Headers): number {
  const text = headers.get('retry-after')?.trim() ?? '';
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(wait) && wait > 0 ? wait : 0;
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    throw new CancelledError('Getting the model');
  }
}
