/**
 * Arrays of a trace: where they lie in its container, and how they are read. A container is only bytes, of a file or
 * in memory; who reads one decides what is read, so that nobody need hold a whole run.
 */

import { unreachable, UserError } from '../base/errors.ts';
import { fromFloat16s } from '../tensor/float16.ts';
import { sizeOf, type NumericArray } from '../tensor/array.ts';
import { ARRAY_KEY } from './format.ts';
import type { ArrayRef, Trace, TraceLatent } from './schema.ts';

/** A container that is read. */
export interface ByteSource {
  /** @throws UserError if the bytes are not there */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** @throws UserError if the bytes of a whole array are not those that were written */
  verify(ref: ArrayRef, bytes: Uint8Array): void;
}

/** A container that is written; what it has given a reference for is there for good. */
export interface ArraySink {
  add(
    dtype: ArrayRef['dtype'],
    shape: readonly number[],
    values: Float32Array | Uint8Array,
  ): Promise<ArrayRef>;
}

/** Bytes of one number. */
export const ITEM_BYTES: Readonly<Record<ArrayRef['dtype'], number>> = { U8: 1, F16: 2, F32: 4 };

export function bytesOf({ dtype, shape }: ArrayRef): number {
  return sizeOf(shape) * ITEM_BYTES[dtype];
}

/** All arrays of a latent. */
export function arraysOf({ vector, attention, mean, comparisons }: TraceLatent): ArrayRef[] {
  const compared = comparisons.flatMap(({ similarity, selection }) => [
    similarity,
    selection.cosines,
    selection.probabilities,
  ]);
  return [vector, attention, mean, ...compared];
}

/** All arrays of a result that was kept, by the keys that lead to them; its form is checked by ./schema.ts. */
export function arraysOfResult(
  result: unknown,
  keys: readonly string[] = [],
): { keys: readonly string[]; ref: ArrayRef }[] {
  if (typeof result !== 'object' || result === null) return [];
  if (ARRAY_KEY in result) return [{ keys, ref: result[ARRAY_KEY] as ArrayRef }];
  return Object.entries(result).flatMap(([key, part]) => arraysOfResult(part, [...keys, key]));
}

/** All arrays of a trace. */
export function allArrays({ pictures, tokens, latents, analyses = [] }: Trace): ArrayRef[] {
  return [
    ...analyses.flatMap(({ result }) => arraysOfResult(result).map(({ ref }) => ref)),
    ...pictures.map(({ png }) => png),
    ...tokens.flatMap(({ attention }) => attention ?? []),
    ...latents.flatMap(arraysOf),
  ];
}

/** A whole array as numbers, checked against its sum. */
export async function readArray(source: ByteSource, ref: ArrayRef): Promise<NumericArray> {
  const bytes = await readBytes(source, ref);
  return { shape: ref.shape, data: numbersOf(bytes, ref.dtype) };
}

/** A whole array as it is stored, checked against its sum. */
export async function readBytes(source: ByteSource, ref: ArrayRef): Promise<Uint8Array> {
  const bytes = await source.read(ref.offset, bytesOf(ref));
  source.verify(ref, bytes);
  return bytes;
}

/** Part of an array, from element `first` on. Its sum is not checked: that takes the whole array. */
export async function readPart(
  source: ByteSource,
  ref: ArrayRef,
  first: number,
  count: number,
): Promise<Float32Array> {
  if (first < 0 || first + count > sizeOf(ref.shape)) {
    throw new UserError({
      problem: 'A part of an array was asked for that it does not have',
      expected: `elements 0 to ${sizeOf(ref.shape)}`,
      found: `${first} to ${first + count}`,
    });
  }
  const item = ITEM_BYTES[ref.dtype];
  return numbersOf(await source.read(ref.offset + first * item, count * item), ref.dtype);
}

function numbersOf(bytes: Uint8Array, dtype: ArrayRef['dtype']): Float32Array {
  // Offsets in a container are of no particular alignment, typed arrays want one.
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  switch (dtype) {
    case 'U8':
      return Float32Array.from(bytes);
    case 'F16':
      return fromFloat16s(new Uint16Array(buffer, byteOffset, length / 2));
    case 'F32':
      return new Float32Array(buffer, byteOffset, length / 4);
    default:
      return unreachable(dtype);
  }
}
