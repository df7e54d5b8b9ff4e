/**
 * Two ways to say which checkpoint this is.
 *
 * `checkpointHash` reads every byte of config.json and of the weights, so equal hashes mean equal
 * models; 16 GB take a minute or more. `checkpointFingerprint` reads config.json, the weight files'
 * headers and their sizes: it takes milliseconds and tells checkpoints of different makers, sizes and
 * layouts apart, but not two trainings of the same architecture saved the same way.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { CancelledError } from '../base/errors.ts';
import { sizeOfFile } from '../files/plainFile.ts';
import { MAX_HEADER_BYTES, readTensorBytes } from './formats/safetensors.ts';
import { torchFileIdentity } from './formats/torchFile.ts';

export interface HashOptions {
  signal?: AbortSignal;
  /** Called after each chunk (1 MiB) with bytes done and in all. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** What is hashed: a checkpoint's folder and its weight files (`Weights.files`). */
export interface HashedFiles {
  folder: string;
  weightFiles: readonly string[];
}

/**
 * sha256 (hex) over config.json and all weight files: for each, its name, size and content.
 * @throws CancelledError when `signal` aborts; UserError if a file is missing.
 */
export async function checkpointHash(files: HashedFiles, options: HashOptions = {}): Promise<string> {
  return filesHash(allOf(files), options);
}

/** sha256 (hex) over files in this order: for each, its name, size and content. Throws like `checkpointHash`. */
export async function filesHash(files: readonly string[], options: HashOptions = {}): Promise<string> {
  const hash = createHash('sha256');
  const sized = await sizes(files);
  const total = sized.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const { file, size } of sized) {
    addLabel(hash, file, size);
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
      if (options.signal?.aborted) throw new CancelledError('Hashing the checkpoint');
      hash.update(chunk as Uint8Array);
      done += (chunk as Uint8Array).length;
      options.onProgress?.(done, total);
    }
  }
  return hash.digest('hex');
}

/** sha256 (hex) over config.json and, for each weight file, its name, size and header. See above for its limits. */
export async function checkpointFingerprint(files: HashedFiles): Promise<string> {
  const hash = createHash('sha256');
  for (const { file, size } of await sizes(allOf(files))) {
    addLabel(hash, file, size);
    hash.update(await identifyingBytes(file, size));
  }
  return hash.digest('hex');
}

/** The identity (either of the two) of a model with an adapter of that fingerprint. */
export function withAdapter(model: string, adapter: { fingerprint: string } | undefined): string {
  if (adapter === undefined) return model;
  return createHash('sha256').update(`${model}\0${adapter.fingerprint}`).digest('hex');
}

function allOf({ folder, weightFiles }: HashedFiles): string[] {
  return [path.join(folder, 'config.json'), ...[...weightFiles].toSorted()];
}

async function sizes(files: readonly string[]): Promise<{ file: string; size: number }[]> {
  return Promise.all(files.map(async (file) => ({ file, size: await sizeOfFile(file) })));
}

/** Name and size go in front of the content, so that bytes cannot move from one file to the next unnoticed. */
function addLabel(hash: Hash, file: string, size: number): void {
  hash.update(`${path.basename(file)}\0${size}\0`);
}

/** All of a config; of a weight file what names and places its tensors. */
async function identifyingBytes(file: string, size: number): Promise<Uint8Array> {
  if (file.endsWith('.bin')) return torchFileIdentity(file);
  if (!file.endsWith('.safetensors')) return readTensorBytes({ file, offset: 0, length: size });
  const prefix = await readTensorBytes({ file, offset: 0, length: Math.min(8, size) });
  const header = size < 8 ? 0n : new DataView(prefix.buffer).getBigUint64(0, true);
  const bounded = header > BigInt(MAX_HEADER_BYTES) ? MAX_HEADER_BYTES : Number(header);
  return readTensorBytes({ file, offset: 0, length: Math.min(size, 8 + bounded) });
}
