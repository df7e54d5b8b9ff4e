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

/** Takes the Float32Arrays out of a message of plain objects; other typed arrays stay where they are. */
export function pack(message: unknown): Packed {
  const arrays: Float32Array[] = [];
  let total = 0;
  const bare = mapPlain(message, (value) => {
    if (!(value instanceof Float32Array)) return undefined;
    const reference: Reference = { float32At: total, length: value.length };
    arrays.push(value);
    total += value.length;
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

/** The message as it was; its arrays are views into `numbers`. */
export function unpack({ message, numbers }: Packed): unknown {
  return mapPlain(message, (value) =>
    isReference(value) ? numbers.subarray(value.float32At, value.float32At + value.length) : undefined,
  );
}

function isReference(value: object): value is Reference {
  return 'float32At' in value;
}

/** A copy of plain objects and arrays in which `replace` may put something else for an object. */
function mapPlain(value: unknown, replace: (value: object) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const other = replace(value);
  if (other !== undefined) return other;
  if (Array.isArray(value)) return value.map((item) => mapPlain(item, replace));
  if (ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapPlain(item, replace)]));
}
