/** A folder gets its name only when everything in it is on the disk. */

import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from './makeFolder.ts';
import { cannotWrite, isSystemError, syncFolder } from './replaceFile.ts';

export interface ReplaceOptions {
  /** Path of the new folder while it is written, beside the old one; what is there is removed. */
  part?: string;
  /** Throws if the folder may not be replaced, for what came into it meanwhile; asked when the new one is written. */
  check?: () => Promise<void>;
  /** Removes the old folder, which has another name by then; as a whole if absent. */
  remove?: (old: string) => Promise<void>;
}

/**
 * Replaces a folder by what `write` puts into an empty one.
 * @throws UserError if the disk refuses; a folder of this name is then as it was
 */
export async function replaceFolder(
  folder: string,
  write: (part: string) => Promise<void>,
  {
    part = `${folder}.part`,
    check,
    remove = (old) => rm(old, { recursive: true, force: true }),
  }: ReplaceOptions = {},
): Promise<void> {
  const old = `${folder}.${randomBytes(4).toString('hex')}.old`;
  try {
    await rm(part, { recursive: true, force: true });
    await makeFolder(part);
    await write(part);
    await syncFolder(part);
    await check?.();
    const had = await moved(folder, old);
    try {
      await rename(part, folder);
    } catch (error) {
      if (had) await rename(old, folder);
      throw error;
    }
    await syncFolder(path.dirname(folder));
    if (had) await remove(old);
  } catch (error) {
    await rm(part, { recursive: true, force: true }).catch(() => undefined);
    throw isSystemError(error) ? cannotWrite(folder, error) : error;
  }
}

/** Whether there was anything to move. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
