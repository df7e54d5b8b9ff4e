/**
 * A model from the hub into a folder, in two steps: an offer, which says what would be fetched and fetches next to
 * nothing, and the fetching. What has come is kept however it ends, and the next call goes on with it.
 */

import path from 'node:path';
import { parseJson } from '../base/json.ts';
import { UserError } from '../base/errors.ts';
import { parseModelConfig } from '../checkpoint/config.ts';
import { refuseDeclaredQuantisation } from '../checkpoint/quantised.ts';
import { makeFolder } from '../files/makeFolder.ts';
import { freeSpace } from '../files/freeSpace.ts';
import { lockFile } from '../files/lock.ts';
import { CONFIG_FILES, type FolderKind } from '../files/modelFolder.ts';
import { partLength } from '../files/partFile.ts';
import { isFile } from '../files/plainFile.ts';
import { inBytes } from '../process/memory.ts';
import { findBlob } from './cache.ts';
import { chooseFiles } from './choice.ts';
import { fetchFile, fetchSmall, markOf } from './fetchFile.ts';
import { readListing, type HubFile, type Listing } from './listing.ts';
import type { Hub } from './server.ts';

/** An index of weights has some hundred bytes for each tensor. */
const MAX_JSON_BYTES = 32 * 2 ** 20;
/** So that the disk is not filled to the brim. */
const SPARE_BYTES = 100e6;
/** Between two reports of progress: pieces come thousands of times a second. */
const REPORT_MS = 100;

/** What would be fetched. */
export interface Offer extends Pick<Listing, 'repository' | 'commit'> {
  kind: FolderKind;
  /** In the order in which they come. */
  files: HubFile[];
  bytes: number;
}

export interface Room {
  /** Bytes that are not in the folder yet. */
  missing: number;
  /** Of these, what is copied from the Hugging Face cache. */
  cached: number;
  free: number;
}

export interface FetchProgress {
  file: string;
  /** Bytes of all files. */
  done: number;
  total: number;
}

/**
 * What a repository has for a checkpoint. A model that could not be opened is refused before it is fetched.
 * @throws AccessError, UserError or CancelledError
 */
export async function readOffer(hub: Hub, repository: string, revision: string): Promise<Offer> {
  const listing = await readListing(hub, repository, revision);
  const byName = new Map(listing.files.map((file) => [file.name, file]));
  const where = `${repository} at ${listing.commit.slice(0, 12)}`;
  const readSmall = (name: string): Promise<unknown> => readSmallJson(hub, listing, byName.get(name)!);
  const choice = await chooseFiles(new Set(byName.keys()), {
    where,
    folders: listing.folders,
    readIndex: readSmall,
  });
  if (choice.kind === 'model') {
    const config = await readSmall(CONFIG_FILES.model);
    const file = `${where}, ${CONFIG_FILES.model}`;
    parseModelConfig(config, file);
    refuseDeclaredQuantisation(config, file);
  }
  const files = choice.names.map((name) => byName.get(name)!);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { repository, commit: listing.commit, kind: choice.kind, files, bytes };
}

/** What an offer still takes in a folder, and what its disk has. */
export async function roomFor({ repository, files }: Offer, folder: string): Promise<Room> {
  let [missing, cached] = [0, 0];
  for (const file of files) {
    const target = path.join(folder, file.name);
    if (await isFile(target)) continue;
    const bytes = Math.max(0, file.bytes - (await partLength(target, markOf(file))));
    missing += bytes;
    if ((await findBlob(repository, file)) !== undefined) cached += bytes;
  }
  return { missing, cached, free: await freeSpace(folder) };
}

/** @throws UserError with the figures if the disk is too full */
export function checkRoom(
  { missing, free }: Omit<Room, 'cached'>,
  folder: string,
  what = 'this model',
): void {
  if (free >= missing + SPARE_BYTES || missing === 0) return;
  throw new UserError({
    problem: `The disk has no room for ${what}`,
    expected: `${inBytes(missing + SPARE_BYTES)} free`,
    found: inBytes(free),
    where: folder,
    remedy: 'Free some space, or choose a folder on another disk.',
  });
}

/**
 * Fetches what is missing in a folder, which is made if need be; each file is whole and checked when it has its name,
 * and the config comes last.
 * @param onProgress called some times a second, and at the end of each file
 * @throws as `fetchFile`; also if the disk is too full or another program is at it
 */
export async function fetchOffer(
  hub: Hub,
  offer: Offer,
  folder: string,
  onProgress: (progress: FetchProgress) => void = () => undefined,
): Promise<void> {
  await makeFolder(folder);
  const unlock = await lockFile(path.join(folder, CONFIG_FILES[offer.kind]));
  try {
    checkRoom(await roomFor(offer, folder), folder);
    let [before, reported] = [0, -Infinity];
    for (const file of offer.files) {
      const base = before;
      await fetchFile(hub, offer, file, folder, (bytes) => {
        const now = performance.now();
        if (now - reported < REPORT_MS && bytes < file.bytes) return;
        reported = now;
        onProgress({ file: file.name, done: base + bytes, total: offer.bytes });
      });
      before += file.bytes;
    }
  } finally {
    await unlock();
  }
}

async function readSmallJson(hub: Hub, listing: Listing, file: HubFile): Promise<unknown> {
  const bytes = await fetchSmall(hub, listing, file, MAX_JSON_BYTES);
  try {
    return parseJson(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new UserError(
      {
        problem: `${file.name} cannot be read`,
        expected: 'JSON',
        found: 'something else',
        where: listing.repository,
      },
      { cause: error },
    );
  }
}
