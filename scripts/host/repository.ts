/** Where things lie in this repository, so that no script guesses paths from the working directory. */

import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder, which is also the extension's folder. */
export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Downloaded and installed tools; safe to delete at any time. */
export const cacheRoot = process.env['ILVR_CACHE'] ?? join(repositoryRoot, '.cache');

/** What tests and screenshots leave behind; ignored by git. */
export const testOutput = join(repositoryRoot, 'test-output');

/** The parts of an extension manifest that identify it. */
export interface Manifest {
  publisher: string;
  name: string;
  version: string;
  main?: string;
}

/** Reads the manifest of the extension in `folder`. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, 'package.json'), 'utf8');
  const { publisher, name, version, main } = JSON.parse(text) as Record<string, unknown>;
  if (typeof publisher !== 'string' || typeof name !== 'string' || typeof version !== 'string') {
    throw new Error(`${folder}/package.json needs publisher, name and version to be an extension manifest.`);
  }
  return { publisher, name, version, ...(typeof main === 'string' ? { main } : {}) };
}

/** True when the script at `moduleUrl` is what Node was asked to run, rather than an import. */
export function isMain(moduleUrl: string): boolean {
  const started = process.argv[1];
  return started !== undefined && resolve(started) === fileURLToPath(moduleUrl);
}
