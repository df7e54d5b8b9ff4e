/** One RPC helper for every channel of ours: typed calls over anything that posts messages. */

import { createBirpc, type BirpcReturn } from 'birpc';
import { CancelledError, UserError, type ErrorDetails } from '../base/errors.ts';

/** A duplex of structured-clonable messages. */
export interface Channel {
  post(message: unknown): void;
  on(listener: (message: unknown) => void): void;
}

/** Errors lose their class and fields in structured clone, so they travel as plain data. */
interface WireError {
  wireError: 'user' | 'cancelled' | 'internal';
  message: string;
  details?: ErrorDetails;
  stack?: string;
}

/**
 * Serves `local` on the channel and returns a proxy of the other side.
 * Calls have no timeout: loading a model takes as long as it takes. `$close(error)` rejects all pending calls.
 */
export function connect<Remote extends object, Local extends object>(
  local: Local,
  channel: Channel,
): BirpcReturn<Remote, Local> {
  return createBirpc<Remote, Local>(local, {
    post: (message) => channel.post(message),
    on: (listener) => channel.on(listener),
    serialize: (message: { e?: unknown }) =>
      message.e === undefined ? message : { ...message, e: toWire(message.e) },
    deserialize: (message: { e?: unknown }) =>
      message.e === undefined ? message : { ...message, e: fromWire(message.e) },
    bind: 'functions',
    timeout: -1,
  });
}

function toWire(error: unknown): WireError {
  if (error instanceof UserError)
    return { wireError: 'user', message: error.message, details: error.details };
  if (error instanceof CancelledError) return { wireError: 'cancelled', message: error.message };
  if (error instanceof Error) {
    return { wireError: 'internal', message: error.message, ...(error.stack && { stack: error.stack }) };
  }
  return { wireError: 'internal', message: String(error) };
}

function fromWire(value: unknown): Error {
  const { wireError, message, details, stack } = value as WireError;
  if (wireError === 'user' && details) return new UserError(details);
  if (wireError === 'cancelled') return Object.assign(new CancelledError(), { message });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
