/**
 * The one way to write a file whole or not at all: into a new file beside it, to the disk, then renamed, so
 * that no reader meets half of it and whatever ends the program leaves what was there.
 *
 * A link stays a link: what it names is replaced. Anything else than a plain file is refused, because a
 * rename would put a file in the place of the pipe or device that somebody wanted written to.
 */

import { randomBytes } from 'node:crypto';
import { lstat, open, readlink, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, UserError } from '../base/errors.ts';
import { isThere, kindOf } from './plainFile.ts';

/** As many links one after the other as Linux follows. */
const MAX_LINKS = 40;

/** A file's content, or what writes it. */
export type Content = string | Uint8Array | ((handle: FileHandle) => Promise<void>);

/**
 * Replaces a file, or makes it; who may read it stays as it was.
 * @throws UserError if the place is no plain file or the disk refuses; what was there is then as it was
 */
export async function replaceFile(file: string, content: Content): Promise<void> {
  const target = await targetOf(file);
  const part = `${target}.${randomBytes(4).toString('hex')}.part`;
  try {
    await writeNew(part, content, (await stat(target).catch(() => undefined))?.mode);
    await rename(part, target);
    await syncFolder(path.dirname(target));
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw isSystemError(error) ? cannotWrite(file, error) : error;
  }
}

/**
 * Before work whose result will be written there: nothing is left in the place, and what is there stays.
 * @throws UserError as `replaceFile` would
 */
export async function requireWritable(file: string): Promise<void> {
  const probe = `${await targetOf(file)}.${randomBytes(4).toString('hex')}.part`;
  try {
    await (await open(probe, 'wx')).close();
  } catch (error) {
    throw isSystemError(error) ? cannotWrite(file, error) : error;
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

/** The same with a value as JSON. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await replaceFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * The file that a write to `file` would replace: the end of its links, whether or not it exists.
 * @throws UserError if a folder, pipe, device or one of the program's own streams is there
 */
export async function targetOf(file: string): Promise<string> {
  let target = path.resolve(file);
  for (let links = 0; links < MAX_LINKS; links++) {
    const folder = await realpath(path.dirname(target)).catch(() => path.dirname(target));
    // /dev/stdout leads here; what it stands for may be a plain file that the shell opened and still writes.
    if (/^\/proc\/|^\/dev\/fd$/.test(folder)) throw notWritable(file, 'a stream of this program');
    target = path.join(folder, path.basename(target));
    if (links > 0 && !(await isThere(folder)))
      throw notWritable(file, 'a link into a folder that is not there');
    const info = await lstat(target).catch(() => undefined);
    if (info === undefined || info.isFile()) return target;
    if (!info.isSymbolicLink()) throw notWritable(file, kindOf(info));
    target = path.resolve(folder, await readlink(target));
  }
  throw notWritable(file, 'links that lead to each other');
}

/** Makes the names in a folder durable, where the system can. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders, and some network disks cannot sync them; both keep names by themselves.
  const handle = await open(folder).catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** A refusal of the file system, told so that its reader can mend it. */
export function cannotWrite(where: string, error: unknown): UserError {
  return new UserError(
    {
      problem: 'cannot write',
      found: messageOf(error),
      where,
      remedy: 'Check that the disk has room and that the folder may be written; what was there is unchanged.',
    },
    { cause: error },
  );
}

/** Whether the file system said no, as against a defect of ours or a fault in what is written. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

async function writeNew(part: string, content: Content, mode: number | undefined): Promise<void> {
  // Never over a file that is there: it would be somebody else's.
  const handle = await open(part, 'wx');
  try {
    if (mode !== undefined) await handle.chmod(mode & 0o777);
    await (typeof content === 'function' ? content(handle) : handle.writeFile(content));
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function notWritable(where: string, found: string): UserError {
  return new UserError({
    problem: 'cannot write there',
    expected: 'a file, or a name that is free',
    found,
    where,
    remedy: 'Give the name of a file.',
  });
}
