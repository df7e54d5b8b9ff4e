/** `ilvr caches`: packed weights on this machine, and removing them. */

import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { UserError } from '../base/errors.ts';
import { weightsCacheFolder } from '../files/cacheFolder.ts';
import { inBytes } from '../process/memory.ts';
import { listCaches, removeCache, type ListedCache } from '../quantise/cacheList.ts';
import { EXIT, type CliContext } from './context.ts';
import { weightsCacheOption } from './options.ts';

interface CachesOptions {
  weightsCache?: string;
  remove?: string[];
  removeAll?: boolean;
}

const ABOUT = `
Weights of few bits are packed when a model is first opened with them, and again if they were removed. A part is
what a stopped packing has done; opening the model goes on with it.`;

/** Adds the command. */
export function addCaches(program: Command, context: CliContext, finished: (code: number) => void): void {
  program
    .command('caches')
    .description('list packed weights with their sizes, or remove some')
    .addOption(weightsCacheOption())
    .addOption(new Option('--remove <name...>', 'remove these, by the names in the list'))
    .addOption(new Option('--remove-all', 'remove all of them').conflicts('remove'))
    .addHelpText('after', ABOUT)
    .action(async (options: CachesOptions) => {
      finished(await caches(context, options));
    });
}

async function caches({ terminal }: CliContext, options: CachesOptions): Promise<number> {
  const folder = options.weightsCache === undefined ? weightsCacheFolder() : resolve(options.weightsCache);
  await requireFolder(folder);
  const listed = await listCaches(folder);
  const removed = options.removeAll === true ? listed : named(listed, options.remove ?? [], folder);
  for (const cache of removed) {
    await removeCache(cache);
    terminal.line(`removed ${basename(cache.file)}, ${inBytes(cache.bytes)}`);
  }
  if (removed.length > 0) return EXIT.ok;
  for (const cache of listed) terminal.line(rowOf(cache));
  const total = listed.reduce((sum, { bytes }) => sum + bytes, 0);
  terminal.line(
    listed.length === 0 ? `No packed weights in ${folder}` : `${inBytes(total)} in all, in ${folder}`,
  );
  return EXIT.ok;
}

/** One that is not there yet has no packed weights. @throws UserError for a file */
async function requireFolder(folder: string): Promise<void> {
  const info = await stat(folder).catch(() => undefined);
  if (info === undefined || info.isDirectory()) return;
  throw new UserError({
    problem: 'Packed weights are not kept here',
    expected: 'a folder',
    found: 'a file',
    where: folder,
    remedy: 'Name the folder after --weights-cache.',
  });
}

/** @throws UserError for a name that is none of the list's, before any is removed */
function named(listed: readonly ListedCache[], names: readonly string[], folder: string): ListedCache[] {
  return names.map((name) => {
    const found = listed.find(({ file }) => basename(file) === name);
    if (found !== undefined) return found;
    throw new UserError({
      problem: 'There are no packed weights of this name',
      found: name,
      where: folder,
      remedy: '`ilvr caches` lists the names.',
    });
  });
}

/** "8bit        8.0 GB  7b (/models/7b)  8f19….safetensors" */
function rowOf({ file, bytes, scheme, model, partial, orphaned }: ListedCache): string {
  const of = model === undefined ? 'of another version, or damaged' : `${basename(model)} (${model})`;
  const state = [partial && 'a part', orphaned && 'its model is gone'].filter((text) => text !== false);
  return [
    (scheme ?? '?').padEnd(9),
    inBytes(bytes).padStart(8),
    [of, ...state].join(', '),
    basename(file),
  ].join('  ');
}
