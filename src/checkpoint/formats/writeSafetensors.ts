/**
 * Writes safetensors files, one tensor in memory at a time, so that a file is there whole or not at all.
 * The header is padded with spaces to a multiple of 8 bytes, as the reference writer pads it.
 */
import type { FileHandle } from 'node:fs/promises';
import { replaceFile } from '../../files/replaceFile.ts';
import { sizeOf } from '../../tensor/array.ts';
import { BYTES } from '../../tensor/dtype.ts';

/** A tensor to be written. */
export interface TensorSource {
  name: string;
  shape: readonly number[];
  /** Its values; asked for when they are about to be written. */
  read: () => Float32Array | Promise<Float32Array>;
}

export type WrittenDtype = 'F32' | 'BF16';

/**
 * Writes the tensors in the order given.
 * @throws UserError if the file cannot be written; what was there before stays
 */
export async function writeSafetensors(
  file: string,
  tensors: readonly TensorSource[],
  dtype: WrittenDtype = 'F32',
): Promise<void> {
  await replaceFile(file, async (handle) => {
    await writeFully(handle, headerOf(tensors, dtype));
    for (const { name, shape, read } of tensors) {
      const values = await read();
      if (values.length !== sizeOf(shape)) throw new Error(`${name} has ${values.length} values`);
      await writeFully(handle, bytesOf(values, dtype));
    }
  });
}

/** bfloat16 bits of float32 values, rounded to nearest, ties to even; NaN stays NaN. */
export function toBFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    // Rounding could carry a NaN's fraction over into infinity.
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    halves[i] = isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return halves;
}

function headerOf(tensors: readonly TensorSource[], dtype: WrittenDtype): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, shape }) => {
    const begin = end;
    end += sizeOf(shape) * BYTES[dtype];
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  // transformers refuses files that do not say which library's layout they have.
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  const text = new TextEncoder().encode(json);
  const length = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, 8);
  return bytes;
}

/** Every host that Node runs on is little-endian, as the format is. */
function bytesOf(values: Float32Array, dtype: WrittenDtype): Uint8Array {
  const stored = dtype === 'F32' ? values : toBFloat16(values);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/** One write may take fewer bytes than it is given. */
async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  const chunk = 1 << 30;
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(chunk, bytes.length - done));
    done += bytesWritten;
  }
}
