/** The number formats of checkpoints. Names are those of the safetensors header. */

import { fromFloat16 } from './float16.ts';

export type Dtype = 'F32' | 'F16' | 'BF16';

/** Bytes per element. */
export const BYTES: Record<Dtype, number> = { F32: 4, F16: 2, BF16: 2 };

/** A tensor that stays in its file: where its bytes are, so that a graph can point at them. */
export interface WeightRef {
  /** Absolute path of the file. */
  file: string;
  /** Path of the file from the folder that a graph's session is given, with `/`; absent: it lies in that folder. */
  location?: string;
  /** Byte offset from the start of the file. */
  offset: number;
  /** Bytes; equals product(shape) × BYTES[dtype]. */
  length: number;
  dtype: Dtype;
  shape: number[];
}

/** A tensor in a file that graphs read as it is, quantised matrices among them. */
export interface StoredRef extends Omit<WeightRef, 'dtype'> {
  dtype: Dtype | 'U8';
}

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16 bits → number: the upper half of a float32. */
export function fromBFloat16(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** The i-th number of each format, little-endian. */
const READERS: Record<Dtype, (view: DataView, i: number) => number> = {
  F32: (view, i) => view.getFloat32(i * 4, true),
  F16: (view, i) => fromFloat16(view.getUint16(i * 2, true)),
  BF16: (view, i) => fromBFloat16(view.getUint16(i * 2, true)),
};

/** Little-endian bytes of a checkpoint tensor → float32 values. `bytes` need not be aligned. */
export function toFloat32(bytes: Uint8Array, dtype: Dtype): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(bytes.byteLength / BYTES[dtype]);
  const read = READERS[dtype];
  for (let i = 0; i < values.length; i++) values[i] = read(view, i);
  return values;
}
