/**
 * Messages with many arrays as messages with one.
 *
 * VS Code sends each typed array of a webview message as a separate argument of its own RPC, which
 * counts arguments in one byte: beyond 255 arrays the rest arrive empty, without an error. A trace of
 * fifty latents has over a thousand.
 */

import type { Channel } from './rpc.ts';

/** A channel whose messages are packed on the way; both ends must use it. */
export function packed(channel: Channel): Channel {
  return {
    post: (message) => channel.post(pack(message)),
    on: (listener) =>
      channel.on((message) => {
        if (isPacked(message)) listener(unpack(message));
      }),
  };
}

/** Others (VS Code, a browser's extensions) may post to the same page. */
function isPacked(message: unknown): message is Packed {
  return typeof message === 'object' && message !== null && 'numbers' in message;
}

export interface Packed {
  /** The message with a reference in place of each Float32Array. */
  message: unknown;
  /** All arrays, one after another. */
  numbers: Float32Array;
}

interface Reference {
  float32At: number;
  length: number;
}

/** Takes the Float32Arrays out of a message of plain objects; other typed arrays stay where they are, a Buffer as plain bytes. */
export function pack(message: unknown): Packed {
  const arrays: Float32Array[] = [];
  let total = 0;
  const bare = bareOf(message, (array) => {
    const reference: Reference = { float32At: total, length: array.length };
    arrays.push(array);
    total += array.length;
    return reference;
  });
  const numbers = new Float32Array(total);
  let at = 0;
  for (const array of arrays) {
    numbers.set(array, at);
    at += array.length;
  }
  return { message: bare, numbers };
}

/**
 * The message as it was; its arrays are views into `numbers`. They are put into the message itself: it came through a
 * channel and is nobody else's, and a copy of thousands of tokens is felt when a trace opens.
 */
export function unpack({ message, numbers }: Packed): unknown {
  const fill = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
    if (isReference(value)) return numbers.subarray(value.float32At, value.float32At + value.length);
    const record = value as Record<string, unknown>;
    for (const key of Object.keys(record)) {
      const item = record[key];
      if (typeof item === 'object') record[key] = fill(item);
    }
    return value;
  };
  return fill(message);
}

function isReference(value: object): value is Reference {
  return 'float32At' in value;
}

/** The value with `refer` in place of its arrays, and plain bytes. What holds none is not copied, what does is not changed. */
function bareOf(value: unknown, refer: (array: Float32Array) => Reference): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Float32Array) return refer(value);
  // VS Code writes messages as JSON, in which a Buffer of Node is no bytes but an object of its own.
  if (value instanceof Uint8Array && value.constructor !== Uint8Array) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return value;
  const record = value as Record<string, unknown>;
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(record)) {
    const item = record[key];
    const bare = typeof item === 'object' ? bareOf(item, refer) : item;
    if (bare === item) continue;
    copy ??= (Array.isArray(value) ? [...(value as unknown[])] : { ...record }) as Record<string, unknown>;
    copy[key] = bare;
  }
  return copy ?? value;
}
