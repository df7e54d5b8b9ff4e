/**
 * safetensors files: 8 bytes header length (little-endian), a JSON header, then the tensors' bytes.
 *
 * The header comes from strangers, so everything in it is checked before it is believed, by the rules
 * of the reference reader (https://github.com/huggingface/safetensors, `SafeTensors::deserialize`):
 * at most 100 MB, no holes, no overlaps, nothing outside the file. No tensor is read before it is asked for.
 */
import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { UserError, messageOf } from '../../base/errors.ts';
import { openPlainFile } from '../../files/plainFile.ts';
import { toFloat32 } from '../../tensor/dtype.ts';
import type { Dtype, WeightRef } from '../../tensor/dtype.ts';
import { show } from '../json.ts';
import { duplicateKey } from './duplicateKeys.ts';

/** The reference's own bound (MAX_HEADER_SIZE). */
export const MAX_HEADER_BYTES = 100_000_000;

/** Bytes per element of every dtype a checkpoint file may name. */
export const ELEMENT_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  F4: 0.5,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  C64: 8,
} as const;

export type StoredDtype = keyof typeof ELEMENT_BYTES;

/** A tensor as its file has it; like `WeightRef`, but of any dtype. */
export interface StoredTensor extends Omit<WeightRef, 'dtype'> {
  dtype: StoredDtype;
}

/**
 * Every tensor of a file by name, whatever its dtype. Offsets are absolute.
 * @throws UserError for anything that is not a sound safetensors file.
 */
export async function readStoredTensors(file: string): Promise<Map<string, StoredTensor>> {
  const { handle, size } = await openPlainFile(file);
  try {
    return parseHeader(await readHeaderBytes(handle, size, file), size, file);
  } finally {
    await handle.close();
  }
}

/** A stored tensor as a weight. @throws UserError if its dtype is none of F32, F16, BF16. */
export function asWeight(name: string, stored: StoredTensor): WeightRef {
  const { dtype } = stored;
  if (isFloat(dtype)) return { ...stored, dtype };
  throw new UserError({
    problem: `the tensor ${name} cannot be used as a weight`,
    expected: 'dtype F32, F16 or BF16',
    found: dtype,
    where: stored.file,
    remedy: 'Quantised checkpoints are not supported; use one in float32, float16 or bfloat16.',
  });
}

/** Reads one tensor as float32; only its own bytes are touched. */
export async function readTensor(ref: WeightRef): Promise<Float32Array> {
  const bytes = await readTensorBytes(ref);
  if (ref.dtype === 'F32') return new Float32Array(bytes.buffer); // safetensors and every Node host are little-endian
  if (ref.dtype === 'BF16') return widenBFloat16(new Uint16Array(bytes.buffer));
  return toFloat32(bytes, ref.dtype);
}

/** The bytes of a tensor as stored, in a buffer of their own. @throws UserError if the file has shrunk. */
export async function readTensorBytes(
  ref: Omit<StoredTensor, 'dtype' | 'shape'>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { handle } = await openPlainFile(ref.file);
  try {
    const bytes = new Uint8Array(ref.length);
    await readFully(handle, bytes, ref.offset, ref.file);
    return bytes;
  } finally {
    await handle.close();
  }
}

/** Whether two tensors are the same in shape, type and every bit; stops at the first difference. */
export async function haveEqualBytes(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  const alike = a.dtype === b.dtype && a.length === b.length && a.shape.join() === b.shape.join();
  if (!alike) return false;
  const step = 1 << 22;
  for (let at = 0; at < a.length; at += step) {
    const length = Math.min(step, a.length - at);
    const [left, right] = await Promise.all(
      [a, b].map(async ({ file, offset }) => readTensorBytes({ file, offset: offset + at, length })),
    );
    if (Buffer.compare(left!, right!) !== 0) return false;
  }
  return true;
}

function isFloat(dtype: StoredDtype): dtype is Dtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/** bfloat16 is the upper half of a float32, so widening is a shift. */
function widenBFloat16(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = halves[i]! << 16;
  return new Float32Array(words.buffer);
}

/** Fills `target` from `position` on; one read may return fewer bytes than asked (2 GiB at most on Linux). */
export async function readFully(
  handle: FileHandle,
  target: Uint8Array,
  position: number,
  file: string,
): Promise<void> {
  const chunk = 1 << 30;
  for (let done = 0; done < target.length;) {
    const wanted = Math.min(chunk, target.length - done);
    const { bytesRead } = await handle.read(target, done, wanted, position + done);
    if (bytesRead === 0) throw truncated(position + target.length, position + done, file);
    done += bytesRead;
  }
}

async function readHeaderBytes(handle: FileHandle, size: number, file: string): Promise<Uint8Array> {
  if (size < 8) throw truncated(8, size, file);
  const prefix = new Uint8Array(8);
  await readFully(handle, prefix, 0, file);
  // As a BigInt: a hostile length may exceed what a number holds.
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw unsound(`a header of at most ${MAX_HEADER_BYTES} bytes`, `one said to be ${length} bytes`, file);
  }
  if (8 + Number(length) > size) throw truncated(8 + Number(length), size, file);
  const header = new Uint8Array(Number(length));
  await readFully(handle, header, 8, file);
  return header;
}

const Entry = z.object({
  dtype: z.string(),
  shape: z.array(z.number()),
  data_offsets: z.tuple([z.number(), z.number()]),
});

function parseHeader(bytes: Uint8Array, fileSize: number, file: string): Map<string, StoredTensor> {
  const header = parseHeaderJson(bytes, file);
  const dataStart = 8 + bytes.length;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name !== '__metadata__') tensors.set(name, parseEntry(name, entry, dataStart, file));
  }
  checkLayout(tensors, dataStart, fileSize, file);
  return tensors;
}

function parseHeaderJson(bytes: Uint8Array, file: string): object {
  let header: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    header = JSON.parse(text) as unknown;
  } catch (error) {
    throw unsound('a header in JSON', messageOf(error), file);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw unsound('a JSON object as header', show(header), file);
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) throw unsound('every name once', `${show(twice)} twice`, file);
  return header;
}

function parseEntry(name: string, entry: unknown, dataStart: number, file: string): StoredTensor {
  const where = `${file}, tensor ${show(name)}`;
  const parsed = Entry.safeParse(entry);
  if (!parsed.success) throw unsound('dtype, shape and data_offsets', show(entry), where);
  const { dtype, shape, data_offsets: offsets } = parsed.data;
  if (!Object.hasOwn(ELEMENT_BYTES, dtype)) {
    throw unsound(`a dtype of ${Object.keys(ELEMENT_BYTES).join(', ')}`, show(dtype), where);
  }
  for (const n of [...shape, ...offsets]) {
    if (!Number.isSafeInteger(n) || n < 0)
      throw unsound('whole numbers from 0 in shape and offsets', show(n), where);
  }
  const length = offsets[1] - offsets[0];
  const needed = byteLength(shape, ELEMENT_BYTES[dtype as StoredDtype]);
  if (needed === undefined || needed !== length) {
    throw unsound(
      `${needed ?? 'too many'} bytes for ${dtype} ${show(shape)}`,
      `data_offsets ${show(offsets)}`,
      where,
    );
  }
  return { file, offset: dataStart + offsets[0], length, dtype: dtype as StoredDtype, shape };
}

/** Bytes of a tensor; undefined if the product leaves the exact integers, or the last byte is not full. */
function byteLength(shape: number[], elementBytes: number): number | undefined {
  let elements = 1;
  for (const n of shape) {
    elements *= n;
    if (!Number.isSafeInteger(elements)) return undefined;
  }
  const bytes = elements * elementBytes;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Tensors must tile the rest of the file: no holes, no overlaps, nothing left over (as in the reference). */
function checkLayout(
  tensors: Map<string, StoredTensor>,
  dataStart: number,
  fileSize: number,
  file: string,
): void {
  const ordered = [...tensors].toSorted(([, a], [, b]) => a.offset - b.offset || a.length - b.length);
  let end = dataStart;
  for (const [name, tensor] of ordered) {
    if (tensor.offset !== end) {
      const what = tensor.offset < end ? 'overlaps the one before it' : 'leaves a gap before it';
      throw unsound(`tensor ${show(name)} at byte ${end}`, `byte ${tensor.offset}: it ${what}`, file);
    }
    end = tensor.offset + tensor.length;
    if (end > fileSize) throw truncated(end, fileSize, `${file}, tensor ${show(name)}`);
  }
  if (end !== fileSize) throw unsound(`the data to end at byte ${end}`, `a file of ${fileSize} bytes`, file);
}

function truncated(needed: number, found: number, where: string): UserError {
  return new UserError({
    problem: 'the file is cut short',
    expected: `at least ${needed} bytes`,
    found: `${found}`,
    where,
    remedy: 'Download or copy the file again.',
  });
}

function unsound(expected: string, found: string, where: string): UserError {
  return new UserError({
    problem: 'not a sound safetensors file',
    expected,
    found,
    where,
    remedy: 'Download the file again, or save it again with the safetensors library.',
  });
}
