/** One file from the hub, or the cache, onto the disk: resumed where it broke off, of the announced length, and checked. */

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { CancelledError, UserError } from '../base/errors.ts';
import { PartFile } from '../files/partFile.ts';
import { isThere, sizeOfFile } from '../files/plainFile.ts';
import { findBlob } from './cache.ts';
import { PassingError } from './failures.ts';
import type { HubFile, Listing } from './listing.ts';
import { untrusted, wholeOf, type Answer, type Hub } from './server.ts';

/** Where a file comes from. */
type Source = Pick<Listing, 'repository' | 'commit'> & {
  /** Of a file that lies outside a repository. */
  address?: string;
};

/**
 * Brings a file into a folder; one that is there already is checked instead.
 * @param onProgress bytes of this file that are there by now
 * @throws UserError if the server does not give what it announced (what came is then deleted), if another file is in
 *   the place, or the disk refuses; CancelledError, and what came is kept
 */
export async function fetchFile(
  hub: Hub,
  source: Source,
  file: HubFile,
  folder: string,
  onProgress: (bytes: number) => void = () => undefined,
): Promise<void> {
  const target = path.join(folder, file.name);
  if (await isThere(target)) return checkPresent(hub, file, target, onProgress);
  const { bytes } = file;
  const newHash = (): Hash => newHashOf(file);
  const part = await PartFile.open(target, { mark: markOf(file), bytes, newHash, signal: hub.signal });
  try {
    onProgress(part.length);
    await fillFromCache(hub, source, file, part, onProgress);
    await fill(hub, source, file, part, onProgress);
    if (part.digest() !== file.digest.hex) {
      const found = part.digest();
      await part.discard();
      throw wrongContent(file, found, target);
    }
    await part.finish();
  } finally {
    await part.close();
  }
}

/** Content of a small file, in memory. @throws as `fetchFile` */
export async function fetchSmall(
  hub: Hub,
  source: Source,
  file: HubFile,
  maxBytes: number,
): Promise<Uint8Array> {
  const address = addressOf(hub, source, file);
  if (file.bytes > maxBytes) throw untrusted(`${file.bytes} bytes`, `at most ${maxBytes} bytes`, address);
  const bytes = await hub.retried(async () =>
    wholeOf(await hub.get(address, { 'accept-encoding': 'identity' }), file.bytes, address),
  );
  const found = newHashOf(file).update(bytes).digest('hex');
  if (found !== file.digest.hex) throw wrongContent(file, found, address);
  return bytes;
}

/** Stands in the name of an unfinished file. */
export function markOf({ digest }: HubFile): string {
  return digest.hex.slice(0, 12);
}

/** What Hugging Face's own programs have of a file is copied; if it is not sound, nothing of it stays. */
async function fillFromCache(
  hub: Hub,
  { repository }: Source,
  file: HubFile,
  part: PartFile,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const blob = part.length < file.bytes ? await findBlob(repository, file) : undefined;
  if (blob !== undefined) {
    try {
      await readPieces(hub, blob, part.length, async (piece) => {
        await part.append(piece);
        onProgress(part.length);
      });
    } catch (error) {
      if (error instanceof CancelledError || error instanceof UserError) throw error;
      // It cannot be read; the hub has it too.
    }
  }
  if (part.length >= file.bytes && part.digest() !== file.digest.hex) await part.restart();
}

async function readPieces(
  hub: Hub,
  file: string,
  start: number,
  take: (piece: Uint8Array) => unknown,
): Promise<void> {
  const pieces = createReadStream(file, { start, highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>;
  for await (const piece of pieces) {
    if (hub.signal?.aborted === true) throw new CancelledError('Getting the model');
    await take(piece);
  }
}

async function fill(
  hub: Hub,
  source: Source,
  file: HubFile,
  part: PartFile,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const address = addressOf(hub, source, file);
  const attempt = async (): Promise<void> => {
    if (part.length === file.bytes) return;
    const range = part.length > 0 && { range: `bytes=${part.length}-` };
    const answer = await hub.get(address, { 'accept-encoding': 'identity', ...range });
    await begin(answer, file, part, address);
    for await (const chunk of answer.content()) {
      if (part.length + chunk.length > file.bytes) {
        await part.discard();
        throw untrusted('more than that', `${file.bytes} bytes`, address);
      }
      await part.append(chunk);
      onProgress(part.length);
    }
    if (part.length < file.bytes) throw brokenOff(file, part, address);
  };
  await hub.retried(attempt, () => part.length);
}

/** Sees to it that what comes now belongs behind what is there. */
async function begin(answer: Answer, file: HubFile, part: PartFile, address: string): Promise<void> {
  if (answer.status === 416) {
    await answer.discard();
    const had = part.length;
    await part.restart();
    throw new PassingError(
      untrusted('less than that', `${file.bytes} bytes, of which ${had} had come`, address),
    );
  }
  const { start, total } = extentOf(answer);
  if (start !== part.length && start !== 0) {
    await answer.discard();
    throw untrusted(`a piece from byte ${start}`, `a piece from byte ${part.length}`, address);
  }
  if (total !== undefined && total !== file.bytes) {
    await answer.discard();
    throw untrusted(`${total} bytes`, `${file.bytes} bytes, as its list of files says`, address);
  }
  // A server that does not know ranges begins again.
  if (start === 0 && part.length > 0) await part.restart();
}

/** Where the content begins in the file, and how long the file is, as far as the answer tells. */
function extentOf({ status, headers }: Answer): { start: number; total?: number } {
  if (status === 206) {
    const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(headers.get('content-range') ?? '');
    if (range === null) return { start: NaN };
    return { start: Number(range[1]), ...(range[3] !== '*' && { total: Number(range[3]) }) };
  }
  const length = /^\d{1,15}$/.exec(headers.get('content-length') ?? '')?.[0];
  // Packed content has another length.
  if (length === undefined || headers.has('content-encoding')) return { start: 0 };
  return { start: 0, total: Number(length) };
}

async function checkPresent(
  hub: Hub,
  file: HubFile,
  target: string,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const hash = newHashOf(file);
  let [done, same] = [0, (await sizeOfFile(target)) === file.bytes];
  if (same) {
    await readPieces(hub, target, 0, (piece) => {
      hash.update(piece);
      done += piece.length;
      onProgress(done);
    });
    same = hash.digest('hex') === file.digest.hex;
  }
  if (same) return;
  throw new UserError({
    problem: 'Another file of this name is there',
    expected: `the model's ${file.name} of ${file.bytes} bytes, or none`,
    where: target,
    remedy: 'Choose another folder, or move the file away.',
  });
}

function newHashOf({ bytes, digest }: HubFile): Hash {
  return digest.kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${bytes}\0`);
}

function addressOf({ endpoint }: Hub, { repository, commit, address }: Source, { name }: HubFile): string {
  return address ?? `${endpoint}/${repository}/resolve/${commit}/${encodeURIComponent(name)}`;
}

function brokenOff(file: HubFile, part: PartFile, where: string): PassingError {
  return new PassingError(
    new UserError({
      problem: 'The connection to the server broke off',
      expected: `${file.bytes} bytes`,
      found: `${part.length} bytes`,
      where,
      remedy: 'Try again: it goes on from there.',
    }),
  );
}

function wrongContent({ name, digest }: HubFile, found: string, where: string): UserError {
  const kind = digest.kind === 'sha256' ? 'sha256' : 'git checksum';
  return new UserError({
    problem: `${name} is not what the server had announced, and was not kept`,
    expected: `${kind} ${digest.hex}`,
    found,
    where,
    remedy: 'Get the model again: this file is then fetched from its start.',
  });
}
