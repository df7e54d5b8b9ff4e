/**
 * Folders that a command may write anew: what it wrote into one is listed in it, so that nothing else is ever
 * deleted or overwritten, be it a file that somebody added or one that was changed since.
 */

import { createHash } from 'node:crypto';
import { readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { isFile, readPlainFile, sizeOfFile } from './plainFile.ts';

/** Weights are told apart by their size alone: reading them takes as long as writing them. */
const MAX_HASHED_BYTES = 2 ** 25;
/** Names in a message. */
const MAX_NAMED = 5;

/** Files of a folder by name, as they were when they were written. */
export const inventory = z.record(
  z.string(),
  z.strictObject({ bytes: z.int(), sha256: z.string().optional() }),
);

export type Inventory = z.output<typeof inventory>;

/** What lies in a folder of plain files now. */
export async function inventoryOf(folder: string): Promise<Inventory> {
  const names = await readdir(folder);
  return Object.fromEntries(
    await Promise.all(
      names.toSorted().map(async (name) => [name, await describe(path.join(folder, name))] as const),
    ),
  );
}

/**
 * Names in a folder that are not as listed.
 * @param list the file that holds the list; it is nobody else's
 */
export async function othersIn(folder: string, listed: Inventory, list: string): Promise<string[]> {
  const others: string[] = [];
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    if (name === list) continue;
    const before = Object.hasOwn(listed, name) ? listed[name] : undefined;
    const now = before !== undefined && (await isFile(file)) ? await describe(file) : undefined;
    if (now === undefined || now.bytes !== before?.bytes || now.sha256 !== before.sha256) others.push(name);
  }
  return others;
}

/** Removes what is listed and the list, and the folder if nothing else has come into it. */
export async function removeListed(folder: string, listed: Inventory, list: string): Promise<void> {
  // By the names that are there: those in a list could lead out of the folder.
  for (const name of await readdir(folder))
    if (name === list || Object.hasOwn(listed, name)) await rm(path.join(folder, name), { force: true });
  await rmdir(folder).catch(() => undefined);
}

/** "a.txt, b.txt and 3 more" */
export function namesOf(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  return names.toSorted().slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

async function describe(file: string): Promise<Inventory[string]> {
  const bytes = await sizeOfFile(file);
  if (bytes > MAX_HASHED_BYTES) return { bytes };
  const content = await readPlainFile(file, { maxBytes: MAX_HASHED_BYTES });
  return { bytes, sha256: createHash('sha256').update(content).digest('hex') };
}
