/** Writes what stands beside the weights in a checkpoint's folder. */

import { copyFile, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { isFile } from '../files/plainFile.ts';

/** Copies what a model folder holds beside config and weights: tokenizer, template, processor and the like. */
export async function copyDescriptions(
  from: string,
  to: string,
  leftOut: readonly string[] = [],
): Promise<void> {
  for (const name of await readdir(from)) {
    if (!/\.(json|jinja|txt)$/.test(name) || name.endsWith('.index.json')) continue;
    if (name === 'config.json' || leftOut.includes(name)) continue;
    if (!(await isFile(path.join(from, name)))) continue;
    await copyFile(path.join(from, name), path.join(to, name));
    await flush(path.join(to, name));
  }
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
