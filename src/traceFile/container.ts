/**
 * Containers of a trace's arrays: bytes of a file, or in memory. A file is only ever added to while a run goes on, so
 * that what a manifest refers to is on the disk when anything dies.
 */

import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { UserError } from '../base/errors.ts';
import { cannotWrite, isSystemError } from '../files/replaceFile.ts';
import { openPlainFile, sizeOfFile } from '../files/plainFile.ts';
import { toFloat16 } from '../tensor/float16.ts';
import { sizeOf } from '../tensor/array.ts';
import { ITEM_BYTES, type ArraySink, type ByteSource } from '../trace/arrays.ts';
import type { ArrayRef } from '../trace/schema.ts';

/** Every array begins at a multiple of this, so that it can be read in place. */
const ALIGNMENT = 8;

/** A container that is read and whose file can be closed. */
export interface Container extends ByteSource {
  readonly size: number;
  close(): Promise<void>;
}

/** A container in memory: what is added can be read. */
export class MemoryContainer implements Container, ArraySink {
  private bytes: Uint8Array;
  private length: number;

  constructor(bytes: Uint8Array = new Uint8Array()) {
    // What is read of a Buffer is one too, and would reach a page as JSON.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.length = bytes.length;
  }

  get size(): number {
    return this.length;
  }

  async add(...array: Parameters<ArraySink['add']>): Promise<ArrayRef> {
    return this.put(...array);
  }

  /** The same at once. */
  put(...array: Parameters<ArraySink['add']>): ArrayRef {
    const encoded = encode(...array);
    const offset = aligned(this.length);
    const end = offset + encoded.bytes.length;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.bytes.length * 2));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(encoded.bytes, offset);
    this.length = end;
    return { ...encoded.ref, offset };
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.length) throw cutOff(offset + length, this.length, 'the trace');
    return this.bytes.subarray(offset, offset + length);
  }

  verify(ref: ArrayRef, bytes: Uint8Array): void {
    requireSum(ref, bytes, 'the trace');
  }

  /** Everything that was added. */
  all(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

/** A container's file, read piece by piece. It stays readable when another takes its name. */
export class FileContainer implements Container {
  readonly size: number;
  private readonly file: string;
  private readonly handle: FileHandle;

  private constructor(file: string, { handle, size }: { handle: FileHandle; size: number }) {
    this.file = file;
    this.handle = handle;
    this.size = size;
  }

  /** @throws UserError if there is no such file */
  static async open(file: string): Promise<FileContainer> {
    return new FileContainer(file, await openPlainFile(file, 'file of a trace’s arrays'));
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await this.handle.read(bytes, 0, length, offset);
    if (bytesRead < length) throw cutOff(offset + length, offset + bytesRead, this.file);
    return bytes;
  }

  verify(ref: ArrayRef, bytes: Uint8Array): void {
    requireSum(ref, bytes, this.file);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/** Bytes of a container that are copied at a time. */
const COPIED_AT_ONCE = 2 ** 22;

/**
 * Writes the beginning of a container to a new file, which another run goes on with: references into it stay true.
 * @throws UserError if something is there already, it ends before that, or the disk refuses
 */
export async function copyBeginning(source: ByteSource, length: number, file: string): Promise<void> {
  try {
    const handle = await open(file, 'wx');
    try {
      for (let done = 0; done < length; done += COPIED_AT_ONCE) {
        const bytes = await source.read(done, Math.min(COPIED_AT_ONCE, length - done));
        await handle.writeFile(bytes);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw isSystemError(error) ? cannotWrite(file, error) : error;
  }
}

/** Adds arrays to a new file. */
export class ContainerWriter implements ArraySink {
  private readonly file: string;
  private readonly handle: FileHandle;
  private end = 0;

  private constructor(file: string, handle: FileHandle) {
    this.file = file;
    this.handle = handle;
  }

  /** @throws UserError if something is there already, or the disk refuses */
  static async create(file: string): Promise<ContainerWriter> {
    try {
      return new ContainerWriter(file, await open(file, 'wx'));
    } catch (error) {
      throw isSystemError(error) ? cannotWrite(file, error) : error;
    }
  }

  /**
   * Goes on with a file that is there; what is in it stays.
   * @throws UserError if there is no such file, or the disk refuses
   */
  static async extend(file: string): Promise<ContainerWriter> {
    const size = await sizeOfFile(file, 'file of a trace’s arrays');
    try {
      const writer = new ContainerWriter(file, await open(file, 'r+'));
      writer.end = size;
      return writer;
    } catch (error) {
      throw isSystemError(error) ? cannotWrite(file, error) : error;
    }
  }

  /** Resolves when the array is in the file. */
  async add(...array: Parameters<ArraySink['add']>): Promise<ArrayRef> {
    const { bytes, ref } = encode(...array);
    const offset = aligned(this.end);
    // Claimed before the wait, so that two arrays that are added at once do not meet.
    this.end = offset + bytes.length;
    try {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, offset + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw isSystemError(error) ? cannotWrite(this.file, error) : error;
    }
    return { ...ref, offset };
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

function encode(
  dtype: ArrayRef['dtype'],
  shape: readonly number[],
  values: Float32Array | Uint8Array,
): { bytes: Uint8Array; ref: Omit<ArrayRef, 'offset'> } {
  const bytes = bytesFor(dtype, values);
  if (bytes.length !== sizeOf(shape) * ITEM_BYTES[dtype]) {
    throw new Error(`${values.length} values do not fill [${shape.join(', ')}]`);
  }
  return { bytes, ref: { dtype, shape: [...shape], sha256: sumOf(bytes) } };
}

/** Little-endian, which all processors are that the runtime has builds for. */
function bytesFor(dtype: ArrayRef['dtype'], values: Float32Array | Uint8Array): Uint8Array {
  if (values instanceof Uint8Array || dtype === 'U8') return Uint8Array.from(values);
  const numbers = dtype === 'F16' ? toFloat16(values) : values;
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Where the next array begins. */
export function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

function sumOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @throws UserError if the bytes are not those that were written */
export function requireSum(ref: ArrayRef, bytes: Uint8Array, where: string): void {
  const found = sumOf(bytes);
  if (found === ref.sha256) return;
  throw new UserError({
    problem: 'The arrays of this trace are damaged',
    expected: `sha256 ${ref.sha256.slice(0, 12)}… at byte ${ref.offset}`,
    found: `${found.slice(0, 12)}…`,
    where,
    remedy: 'Restore the file from a copy, or export the trace again from the run.',
  });
}

function cutOff(needed: number, found: number, where: string): UserError {
  return new UserError({
    problem: 'The arrays of this trace are cut off',
    expected: `at least ${needed} bytes`,
    found: `${found} bytes`,
    where,
    remedy: 'The file may have been cut off while it was copied; copy it again, together with its manifest.',
  });
}
