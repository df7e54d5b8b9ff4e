/** Temporary folders that are gone when the script is, also when it is interrupted. */

import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = new Set<string>();

process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** Runs `use` with a new temporary folder, which is removed afterwards. */
export async function withScratch<T>(prefix: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  folders.add(folder);
  try {
    return await use(folder);
  } finally {
    // A process that has just been ended may still be writing its last lines.
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    folders.delete(folder);
  }
}
