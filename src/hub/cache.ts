/** What Hugging Face's own programs have fetched already, in their cache on this machine. No server is asked. */

import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { getHFHubCachePath, getRepoFolderName } from '@huggingface/hub';
import { UserError } from '../base/errors.ts';
import { readJson } from '../checkpoint/json.ts';
import type { FolderKind } from '../files/modelFolder.ts';
import { isFile, readPlainFile } from '../files/plainFile.ts';
import { isCommit } from './address.ts';
import { chooseFiles } from './choice.ts';
import type { HubFile } from './listing.ts';

export interface CachedModel {
  folder: string;
  kind: FolderKind;
  commit: string;
}

/**
 * A whole copy of a model in the cache: HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub.
 * @param revision branch, tag or commit; what a branch named when it was last fetched counts
 * @returns undefined if there is none, or not all of it
 */
export async function findCached(
  repository: string,
  revision: string,
  cache: string = getHFHubCachePath(),
): Promise<CachedModel | undefined> {
  const root = rootOf(repository, cache);
  const commit = isCommit(revision) ? revision : await refIn(root, revision);
  if (commit === undefined) return undefined;
  const folder = path.join(root, 'snapshots', commit);
  const kind = await wholeKind(folder);
  return kind === undefined ? undefined : { folder, kind, commit };
}

/** The cache's copy of one file, whichever revisions it belongs to; not read yet. */
export async function findBlob(
  repository: string,
  { bytes, digest }: Pick<HubFile, 'bytes' | 'digest'>,
  cache: string = getHFHubCachePath(),
): Promise<string | undefined> {
  const blob = path.join(rootOf(repository, cache), 'blobs', digest.hex);
  const info = await lstat(blob).catch(() => undefined);
  return info?.isFile() === true && info.size === bytes ? blob : undefined;
}

function rootOf(repository: string, cache: string): string {
  return path.join(cache, getRepoFolderName({ type: 'model', name: repository }));
}

async function refIn(root: string, revision: string): Promise<string | undefined> {
  const file = path.join(root, 'refs', ...revision.split('/'));
  const bytes = await readPlainFile(file, { maxBytes: 200 }).catch(() => undefined);
  const commit = new TextDecoder().decode(bytes).trim();
  return isCommit(commit) ? commit : undefined;
}

/** What a folder holds, if all files are there that would be fetched; a file of the cache is a link to its blob. */
async function wholeKind(folder: string): Promise<FolderKind | undefined> {
  const names = await readdir(folder).catch(() => []);
  try {
    const choice = await chooseFiles(new Set(names), {
      where: folder,
      folders: [],
      readIndex: (name) => readJson(path.join(folder, name)),
    });
    const there = await Promise.all(choice.names.map((name) => isFile(path.join(folder, name))));
    return there.every(Boolean) ? choice.kind : undefined;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
