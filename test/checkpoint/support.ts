/** Helpers of the checkpoint tests: temporary files, hand-made safetensors, the check for clear errors. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect } from 'vitest';
import { UserError } from '../../src/base/errors.ts';

const folders: string[] = [];

afterAll(async () => {
  await Promise.all(folders.splice(0).map(async (folder) => rm(folder, { recursive: true, force: true })));
});

/** A fresh folder with these files in it; gone after the test file. */
export async function folderOf(files: Record<string, string | Uint8Array | object>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ilvr-test-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    const raw = typeof content === 'string' || content instanceof Uint8Array;
    await writeFile(path.join(folder, name), raw ? content : JSON.stringify(content));
  }
  return folder;
}

export async function fileOf(content: Uint8Array): Promise<string> {
  return path.join(await folderOf({ 'model.safetensors': content }), 'model.safetensors');
}

/**
 * The bytes of a safetensors file, which broken arguments break in a chosen way.
 * @param header as JSON, or text that need be none
 * @param data bytes after it, or how many zeros
 * @param claimed the header's length as the file says it, if that is not the true one
 */
export function safetensors(
  header: string | object,
  data: Uint8Array | number,
  claimed?: bigint,
): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const body = typeof data === 'number' ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
}

/** Claims that something fails with a message for users that contains all of these words. */
export async function expectUserError(run: () => unknown, ...words: string[]): Promise<void> {
  const error = await Promise.resolve()
    .then(run)
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(UserError);
  for (const word of words) expect((error as UserError).message).toContain(word);
}

/** mulberry32: small, seeded, good enough to pick bytes to break. */
export function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
