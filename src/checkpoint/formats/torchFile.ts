/**
 * PyTorch's .bin files (torch.save since 1.6): a zip archive of stored entries, in which `data.pkl` names
 * the tensors and `data/KEY` is the memory of storage KEY. A weight is a range of that memory and is pointed
 * at like one in a safetensors file.
 */
import { UserError } from '../../base/errors.ts';
import { sizeOf } from '../../tensor/array.ts';
import { openPlainFile } from '../../files/plainFile.ts';
import { show } from '../json.ts';
import { readStateDict } from './pickle.ts';
import type { PickledTensor } from './pickle.ts';
import { ELEMENT_BYTES, readFully, readTensorBytes } from './safetensors.ts';
import type { StoredDtype, StoredTensor } from './safetensors.ts';
import { readZip } from './zip.ts';
import type { ZipDirectory, ZipEntry } from './zip.ts';

/** A pickle of a state_dict takes about a hundred bytes per tensor; the largest models have some thousand. */
const MAX_PICKLE_BYTES = 16_000_000;

const DTYPES: Partial<Record<string, StoredDtype>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/**
 * Every tensor of a .bin file by name, whatever its dtype. Nothing in the file is executed.
 * @throws UserError for anything that is not a state_dict as torch.save writes it
 */
export async function readTorchTensors(file: string): Promise<Map<string, StoredTensor>> {
  const { entries, prefix, pickle } = await openArchive(file);
  await checkByteOrder(entries.get(`${prefix}byteorder`), file);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of readStateDict(pickle, file)) {
    const entry = entries.get(`${prefix}data/${tensor.storage.key}`);
    tensors.set(name, locateTensor(tensor, entry, file, `${file}, tensor ${show(name)}`));
  }
  return tensors;
}

/** What tells a .bin file from another without reading its tensors: their names and the archive's checksums. */
export async function torchFileIdentity(file: string): Promise<Uint8Array> {
  const { bytes, pickle } = await openArchive(file);
  return Buffer.concat([bytes, pickle]);
}

async function openArchive(file: string): Promise<ZipDirectory & { prefix: string; pickle: Uint8Array }> {
  await refuseOlderFormat(file);
  const directory = await readZip(file);
  const pickles = [...directory.entries].filter(([name]) => /^(?:[^/]*\/)?data\.pkl$/.test(name));
  const [found] = pickles;
  if (found === undefined || pickles.length > 1)
    throw unsound('one data.pkl in the archive', `${pickles.length}`, file);
  const [name, entry] = found;
  if (entry.length > MAX_PICKLE_BYTES)
    throw unsound(`a data.pkl of at most ${MAX_PICKLE_BYTES} bytes`, `${entry.length}`, file);
  const pickle = await readTensorBytes({ file, ...entry });
  return { ...directory, prefix: name.slice(0, -'data.pkl'.length), pickle };
}

/** A pickle without an archive around it (before PyTorch 1.6) begins with its protocol number. */
async function refuseOlderFormat(file: string): Promise<void> {
  const { handle, size } = await openPlainFile(file);
  try {
    if (size < 2) return;
    const start = new Uint8Array(2);
    await readFully(handle, start, 0, file);
    if (start[0] !== 0x80) return;
  } finally {
    await handle.close();
  }
  throw new UserError({
    problem: "the .bin file is in PyTorch's older format, whose tensors cannot be pointed at",
    expected: 'a zip archive, as torch.save writes since version 1.6',
    found: 'a pickle',
    where: file,
    remedy: 'Load it with PyTorch and save it again, best as safetensors.',
  });
}

/** Written since PyTorch 2.1; without it the file is little-endian. */
async function checkByteOrder(entry: ZipEntry | undefined, file: string): Promise<void> {
  if (entry === undefined) return;
  const text = entry.length <= 16 ? Buffer.from(await readTensorBytes({ file, ...entry })).toString() : '';
  if (text !== 'little') throw unsound('byte order "little"', show(text), file);
}

function locateTensor(
  { storage, offset, shape, strides }: PickledTensor,
  entry: ZipEntry | undefined,
  file: string,
  where: string,
): StoredTensor {
  const dtype = DTYPES[storage.type];
  if (dtype === undefined)
    throw unsound(`a storage of ${Object.keys(DTYPES).join(', ')}`, storage.type, where);
  if (entry === undefined) throw unsound(`an entry data/${storage.key}`, 'none', where);
  const bytes = ELEMENT_BYTES[dtype];
  if (storage.elements * bytes !== entry.length)
    throw unsound(`${storage.elements * bytes} bytes of storage`, `${entry.length}`, where);
  if (!isContiguous(shape, strides)) throw notContiguous(shape, strides, where);
  const elements = sizeOf(shape);
  if (!Number.isSafeInteger(elements) || offset + elements > storage.elements)
    throw unsound(`at most ${storage.elements} elements`, `${show(shape)} from ${offset}`, where);
  return { file, offset: entry.offset + offset * bytes, length: elements * bytes, dtype, shape };
}

/** Row-major without gaps; the stride of an axis of length 1 means nothing. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  let expected = 1;
  return shape.toReversed().every((length, i) => {
    const fits = length === 1 || strides[shape.length - 1 - i] === expected;
    expected *= length;
    return fits;
  });
}

function notContiguous(shape: readonly number[], strides: readonly number[], where: string): UserError {
  return new UserError({
    problem: 'a tensor of the .bin file is not contiguous, so that graphs cannot point at it',
    expected: 'its values in order and without gaps',
    found: `shape ${show(shape)} with strides ${show(strides)}`,
    where,
    remedy: 'Load the file with PyTorch, call .contiguous() on its tensors and save them as safetensors.',
  });
}

function unsound(expected: string, found: string, where: string): UserError {
  return new UserError({
    problem: 'not a sound .bin file of PyTorch',
    expected,
    found,
    where,
    remedy: 'Download the file again, or load it with PyTorch and save it as safetensors.',
  });
}
