/**
 * Opening files whose names come from outside. Opening a named pipe waits for a writer, a device may never
 * end, and a file may be larger than the memory: each is refused before anything waits or is allocated.
 */

import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { messageOf, UserError } from '../base/errors.ts';

/** Begins what `git clone` leaves in place of a large file where Git LFS is missing (its docs/spec.md). */
const LFS_POINTER = /^version https:\/\/(?:git-lfs|hawser)\.github\.com\/spec\//;
/** The longest that a pointer may be, by the same document. */
const MAX_POINTER_BYTES = 1024;

/** What stands at a path that is no plain file, by the question that tells it. */
const KINDS = [
  [(info) => info.isDirectory(), 'a folder'],
  [(info) => info.isFIFO(), 'a named pipe'],
  [(info) => info.isSocket(), 'a socket'],
  [(info) => info.isCharacterDevice() || info.isBlockDevice(), 'a device'],
] as const satisfies readonly (readonly [(info: Stats) => boolean, string])[];

/** Whether a plain file, or a link to one, exists at a path. */
export async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

/** Whether anything is there, plain file or not. */
export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/**
 * Size in bytes of a plain file, or of the one a link points to.
 * @throws UserError if nothing is there or it is something else
 */
export async function sizeOfFile(path: string, what = 'file'): Promise<number> {
  const info = await told(path, what, () => stat(path));
  refuseOthers(info, path, what);
  return info.size;
}

/**
 * Opens a plain file, or a link to one, for reading. Never waits for another process.
 * @param what it should be, for messages: "picture"
 * @throws UserError if nothing is there, it cannot be opened, it is something else, or it only stands for a file
 *   that Git LFS keeps elsewhere
 */
export async function openPlainFile(
  path: string,
  what = 'file',
): Promise<{ handle: FileHandle; size: number }> {
  // A device may act on being opened, so its kind is asked first; and again after, in case it was exchanged.
  await sizeOfFile(path, what);
  const handle = await told(path, what, () => open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)));
  try {
    const info = await handle.stat();
    refuseOthers(info, path, what);
    if (info.size <= MAX_POINTER_BYTES) await refusePointer(handle, path, what);
    return { handle, size: info.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * The bytes of a plain file.
 * @param options.maxBytes more are refused, by the size the file claims before any is read
 * @throws UserError as `openPlainFile`, if it cannot be read, or if it is larger than that
 */
export async function readPlainFile(
  path: string,
  { what = 'file', maxBytes }: { what?: string; maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const { handle, size } = await openPlainFile(path, what);
  try {
    if (size > maxBytes) throw tooLarge(path, what, maxBytes, size);
    // Some files are longer than they claim (those of /proc claim 0), so one byte more is asked for.
    const bytes = await told(path, what, () =>
      buffer(handle.createReadStream({ end: maxBytes, autoClose: false })),
    );
    if (bytes.length > maxBytes) throw tooLarge(path, what, maxBytes, bytes.length);
    return bytes;
  } finally {
    await handle.close();
  }
}

/** sha256 of a plain file, as hex, whatever its size. @throws UserError as `openPlainFile`, or if it cannot be read */
export async function fileHash(path: string, what = 'file'): Promise<string> {
  const { handle } = await openPlainFile(path, what);
  const hash = createHash('sha256');
  const chunks = handle.createReadStream() as AsyncIterable<Buffer>;
  await told(path, what, async () => {
    for await (const chunk of chunks) hash.update(chunk);
  });
  return hash.digest('hex');
}

/** What something is that is no plain file: "a folder". */
export function kindOf(info: Stats): string {
  return KINDS.find(([is]) => is(info))?.[1] ?? 'something else';
}

function refuseOthers(info: Stats, path: string, what: string): void {
  if (info.isFile()) return;
  throw new UserError({
    problem: `This ${what} cannot be opened`,
    expected: 'a plain file',
    found: kindOf(info),
    where: path,
  });
}

async function refusePointer(handle: FileHandle, path: string, what: string): Promise<void> {
  const text = await told(path, what, async () => {
    const { buffer: bytes, bytesRead } = await handle.read(Buffer.alloc(MAX_POINTER_BYTES), { position: 0 });
    return bytes.toString('utf8', 0, bytesRead);
  });
  if (!LFS_POINTER.test(text)) return;
  const size = /^size (\d{1,15})$/m.exec(text)?.[1];
  throw new UserError({
    problem: `This ${what} is a Git LFS pointer: the ${what} itself was not downloaded`,
    expected: size === undefined ? 'its content' : `its content, ${Number(size).toLocaleString('en')} bytes`,
    found: 'the pointer',
    where: path,
    remedy: 'Run "git lfs install" and "git lfs pull" in the folder, or download it in another way.',
  });
}

/** What the system answers, told with the path. */
async function told<T>(path: string, what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new UserError(
      {
        problem: `This ${what} cannot be opened`,
        expected: 'a readable file',
        found: missing ? 'nothing' : messageOf(error),
        where: path,
      },
      { cause: error },
    );
  }
}

function tooLarge(path: string, what: string, maxBytes: number, found: number): UserError {
  return new UserError({
    problem: `This ${what} is too large`,
    expected: `at most ${maxBytes} bytes`,
    found: `${found} bytes`,
    where: path,
  });
}
