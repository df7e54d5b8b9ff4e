/**
 * Writes checkpoint folders: what stands beside the weights, and that a folder gets its name only when
 * everything in it is on the disk.
 */

import { copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { cannotWrite, isSystemError, replaceFile, syncFolder } from './formats/writeSafetensors.ts';

/**
 * Replaces a folder by what `write` puts into an empty one.
 * @param part the path of the empty one, beside `folder`; what is there is removed
 * @throws UserError if the disk refuses; a folder of this name is then as it was
 */
export async function replaceFolder(
  folder: string,
  write: (part: string) => Promise<void>,
  part = `${folder}.part`,
): Promise<void> {
  try {
    await rm(part, { recursive: true, force: true });
    await mkdir(part, { recursive: true });
    await write(part);
    await syncFolder(part);
    await rm(folder, { recursive: true, force: true });
    await rename(part, folder);
    await syncFolder(path.dirname(folder));
  } catch (error) {
    await rm(part, { recursive: true, force: true }).catch(() => undefined);
    throw isSystemError(error) ? cannotWrite(folder, error) : error;
  }
}

/** Copies what a model folder holds beside config and weights: tokenizer, template, processor and the like. */
export async function copyDescriptions(
  from: string,
  to: string,
  leftOut: readonly string[] = [],
): Promise<void> {
  for (const name of await readdir(from)) {
    if (!/\.(json|jinja|txt)$/.test(name) || name.endsWith('.index.json')) continue;
    if (name === 'config.json' || leftOut.includes(name)) continue;
    await copyFile(path.join(from, name), path.join(to, name));
    await flush(path.join(to, name));
  }
}

export async function writeJson(file: string, value: unknown): Promise<void> {
  await replaceFile(file, async (handle) => {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
  });
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
