/** Where things lie in this repository, so that no script guesses paths from the working directory. */

import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** The repository's root folder, which is also the extension's folder. */
export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Downloaded and installed tools; safe to delete at any time. */
export const cacheRoot = process.env['ILVR_CACHE'] ?? join(repositoryRoot, '.cache');

/** What tests and screenshots leave behind; ignored by git. */
export const testOutput = join(repositoryRoot, 'test-output');

const manifestSchema = z.object({
  publisher: z.string(),
  name: z.string(),
  version: z.string(),
  main: z.string().optional(),
});

/** The parts of an extension manifest that identify it, and its entry point. */
export type Manifest = z.infer<typeof manifestSchema>;

/** Reads the manifest of the extension in `folder`. */
export async function readManifest(folder: string): Promise<Manifest> {
  return manifestSchema.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));
}

/** True when the script at `moduleUrl` is what Node was asked to run, rather than an import. */
export function isMain(moduleUrl: string): boolean {
  const started = process.argv[1];
  return started !== undefined && resolve(started) === fileURLToPath(moduleUrl);
}
