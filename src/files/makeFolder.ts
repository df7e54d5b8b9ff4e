/**
 * Folders that a program needs. Level by level: Node's own recursive `mkdir` never comes back where a system has a
 * folder that takes no others, as Linux has /proc.
 */

import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { kindOf } from './plainFile.ts';
import { cannotWrite } from './replaceFile.ts';

/**
 * Makes a folder, and those above it, unless they are there.
 * @throws UserError if something else is in the place of one, or the system refuses
 */
export async function makeFolder(folder: string): Promise<void> {
  const there = await stat(folder).catch(() => undefined);
  if (there?.isDirectory() === true) return;
  if (there !== undefined) {
    throw new UserError({
      problem: 'A folder is needed here',
      expected: 'a folder, or a name that is free',
      found: there.isFile() ? 'a file' : kindOf(there),
      where: folder,
      remedy: 'Name another folder.',
    });
  }
  const parent = path.dirname(path.resolve(folder));
  if (parent !== path.resolve(folder)) await makeFolder(parent);
  try {
    await mkdir(folder);
  } catch (error) {
    // Another program may have made it meanwhile.
    if ((await stat(folder).catch(() => undefined))?.isDirectory() === true) return;
    throw cannotWrite(folder, error);
  }
}
