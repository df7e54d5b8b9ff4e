/** Random access to one safetensors file by tensor name: adapters, saved vectors, reference answers. */
import { UserError } from '../../base/errors.ts';
import { asWeight, readStoredTensors, readTensor, readTensorBytes } from './safetensors.ts';
import type { StoredDtype, StoredTensor } from './safetensors.ts';

/** An indexed file; each call reads only the tensor it names, and throws UserError if there is none. */
export interface TensorFile {
  readonly names: string[];
  info(name: string): { dtype: StoredDtype; shape: number[] };
  /** F32, F16 or BF16 as float32, row-major. */
  float32(name: string): Promise<Float32Array>;
  /** I64 as numbers. @throws UserError beyond ±2^53. */
  int64(name: string): Promise<number[]>;
  /** The bytes as stored; for U8 these are the values. */
  bytes(name: string): Promise<Uint8Array>;
}

/** Opens a safetensors file for reading by name. @throws UserError if it is not sound. */
export async function openSafetensors(file: string): Promise<TensorFile> {
  const tensors = await readStoredTensors(file);
  const find = (name: string): StoredTensor => {
    const tensor = tensors.get(name);
    if (tensor) return tensor;
    throw new UserError({ problem: `there is no tensor ${name}`, where: file });
  };
  return {
    names: [...tensors.keys()],
    info: (name) => ({ dtype: find(name).dtype, shape: find(name).shape }),
    float32: async (name) => readTensor(asWeight(name, find(name))),
    int64: async (name) => readInt64(name, find(name)),
    bytes: async (name) => readTensorBytes(find(name)),
  };
}

async function readInt64(name: string, tensor: StoredTensor): Promise<number[]> {
  const { dtype, file } = tensor;
  if (dtype !== 'I64') {
    throw new UserError({
      problem: `the tensor ${name} cannot be read`,
      expected: 'I64',
      found: dtype,
      where: file,
    });
  }
  const values = new BigInt64Array((await readTensorBytes(tensor)).buffer);
  return Array.from(values, (value) => {
    if (BigInt.asIntN(54, value) === value) return Number(value);
    throw new UserError({ problem: `a value of ${name} is too large`, found: String(value), where: file });
  });
}
