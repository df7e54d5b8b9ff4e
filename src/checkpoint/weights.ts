/**
 * The weights of a checkpoint folder, in one file or in shards, under one set of names: those of
 * transformers 4.50 (`visual.…`, `model.…`, `lm_head.weight`), whichever release wrote the files.
 */
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import type { LowRank, PackedMatrix, Weight } from '../model/weightSource.ts';
import type { Dtype, WeightRef } from '../tensor/dtype.ts';
import { sizeOf } from '../tensor/array.ts';
import type { Adapter } from './adapter.ts';
import { isAdapter, notAModel } from './adapter.ts';
import { canonicalName } from './names.ts';
import { isFile } from '../files/plainFile.ts';
import { parseWith, readJson, show } from './json.ts';
import { locate } from './locations.ts';
import { asWeight, readStoredTensors } from './formats/safetensors.ts';
import type { StoredTensor } from './formats/safetensors.ts';
import { readTorchTensors } from './formats/torchFile.ts';

/** A checkpoint's tensors; nothing of them is in memory. */
export interface Weights {
  /** Whether `lm_head.weight` is the embedding matrix. */
  readonly tied: boolean;
  /** Absolute paths of the checkpoint's own files, sorted; an adapter's is not among them. */
  readonly files: string[];
  /** With an adapter's. */
  readonly allFiles: string[];
  /** The folder from which each weight's `location` counts; sessions must be given this one. */
  readonly root: string;
  /** Canonical names, sorted. A tied `lm_head.weight` is not among them. */
  readonly names: string[];
  /** Elements of all tensors; a tied output matrix counts once. */
  readonly parameterCount: number;
  /** The dtype of most elements. */
  readonly dtype: Dtype;
  has(name: string): boolean;
  /** A tensor as its file has it; of a tied `lm_head.weight` the embedding matrix. */
  stored(name: string): StoredTensor | undefined;
  /**
   * Where a weight is.
   * @param shape what the graph needs; must be the shape in the file (patch_embed: [out, 3, 2, 14, 14]).
   * @throws UserError if it is missing, of another shape, or of a dtype that is no weight.
   */
  get(name: string, shape: readonly number[]): Weight;
  /** See `WeightSource`; only with a cache of quantised matrices. */
  packed?(names: readonly string[]): PackedMatrix | undefined;
}

const EMBEDDING = 'model.embed_tokens.weight';
const OUTPUT = 'lm_head.weight';

/**
 * Finds and indexes the weights of a folder; reads headers only.
 * @param options.tied whether the config says that input and output embeddings are one matrix. If so, a
 *   stored `lm_head.weight` is ignored, as in transformers; if it does not say, they are tied when there is none.
 * @param options.adapter comes with the matrices that it was trained for
 * @throws UserError if there are none, a shard is missing, a file is not sound, or the adapter does not fit.
 */
export async function openWeights(
  folder: string,
  options: { tied: boolean | undefined; adapter?: Adapter | undefined },
): Promise<Weights> {
  const tensors = await readTensors(folder);
  const tied = options.tied ?? !tensors.has(OUTPUT);
  if (tied) tensors.delete(OUTPUT);
  const named = [...tensors].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const find = (name: string): StoredTensor | undefined =>
    tensors.get(tied && name === OUTPUT ? EMBEDDING : name);
  const files = [...new Set(named.map(([, tensor]) => tensor.file))].toSorted();
  const { adapter } = options;
  adapter?.checkFit(find, tied);
  const allFiles = adapter === undefined ? files : [...files, adapter.file];
  const { root, of: locations } = await locate(allFiles);
  const located = (ref: WeightRef): WeightRef => ({ ...ref, location: locations.get(ref.file)! });
  const addition = (name: string): { adapter?: LowRank } => {
    const found = adapter?.additions.get(name);
    return found === undefined
      ? {}
      : { adapter: { a: located(found.a), b: located(found.b), scale: found.scale } };
  };
  return {
    tied,
    files,
    allFiles,
    root,
    names: named.map(([name]) => name),
    parameterCount: named.reduce((sum, [, tensor]) => sum + sizeOf(tensor.shape), 0),
    dtype: mostCommonDtype(named, folder),
    has: (name) => find(name) !== undefined,
    stored: find,
    get: (name, shape) => ({ ...located(checked(name, shape, find(name), folder)), ...addition(name) }),
  };
}

function checked(
  name: string,
  shape: readonly number[],
  tensor: StoredTensor | undefined,
  folder: string,
): WeightRef {
  if (tensor === undefined) {
    throw new UserError({
      problem: `the checkpoint has no weight ${name}`,
      expected: `a tensor of shape ${show(shape)}`,
      where: folder,
      remedy:
        name === OUTPUT
          ? 'If input and output embeddings are shared, config.json must say "tie_word_embeddings": true.'
          : 'Check that config.json belongs to these weights and that all files were downloaded.',
    });
  }
  if (tensor.shape.length !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
    throw new UserError({
      problem: `the weight ${name} has another shape than config.json says`,
      expected: show(shape),
      found: show(tensor.shape),
      where: tensor.file,
      remedy: 'Check that config.json belongs to these weights.',
    });
  }
  return asWeight(name, tensor);
}

async function readTensors(folder: string): Promise<Map<string, StoredTensor>> {
  for (const format of FORMATS) {
    const single = path.join(folder, format.single);
    const index = path.join(folder, `${format.single}.index.json`);
    if (await isFile(single)) return rename(await format.read(single), single);
    if (await isFile(index)) return rename(await readShards(folder, index, format), index);
  }
  throw await noWeights(folder);
}

interface Format {
  /** Name of the file that holds everything; with `.index.json`, of the index of shards. */
  single: string;
  extension: string;
  read(file: string): Promise<Map<string, StoredTensor>>;
}

/** In transformers' own order of preference, which also takes the single file where both are present. */
const FORMATS: Format[] = [
  { single: 'model.safetensors', extension: '.safetensors', read: readStoredTensors },
  { single: 'pytorch_model.bin', extension: '.bin', read: readTorchTensors },
];

const Index = z.object({ weight_map: z.record(z.string(), z.string()) });

async function readShards(folder: string, index: string, format: Format): Promise<Map<string, StoredTensor>> {
  const { weight_map: map } = parseWith(Index, await readJson(index), index);
  const shards = new Map<string, Map<string, StoredTensor>>();
  for (const shard of new Set(Object.values(map))) {
    shards.set(shard, await format.read(await shardPath(folder, shard, index, format.extension)));
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [name, shard] of Object.entries(map)) {
    const tensor = shards.get(shard)?.get(name);
    if (tensor === undefined) {
      throw new UserError({
        problem: `the weight ${name} is not where the index says`,
        expected: `it in ${shard}`,
        where: index,
        remedy: 'The shards and the index belong to different checkpoints; download them together.',
      });
    }
    tensors.set(name, tensor);
  }
  return tensors;
}

/** Path of a shard. An index must name plain files beside it: anything else could reach out of the folder. */
async function shardPath(folder: string, shard: string, index: string, extension: string): Promise<string> {
  if (!/^[^/\\:\0]+$/.test(shard) || !shard.endsWith(extension)) {
    throw new UserError({
      problem: 'the index names a shard that cannot be opened',
      expected: `the plain name of a ${extension} file in the same folder`,
      found: show(shard),
      where: index,
    });
  }
  const file = path.join(folder, shard);
  if (await isFile(file)) return file;
  throw new UserError({
    problem: `the checkpoint is incomplete: the shard ${shard} is missing`,
    where: folder,
    remedy: 'Download the missing file into the folder.',
  });
}

function rename(tensors: Map<string, StoredTensor>, where: string): Map<string, StoredTensor> {
  const renamed = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    const canonical = canonicalName(name);
    if (renamed.has(canonical)) {
      throw new UserError({ problem: `the weight ${canonical} is stored twice under two names`, where });
    }
    renamed.set(canonical, tensor);
  }
  return renamed;
}

function mostCommonDtype(tensors: [string, StoredTensor][], folder: string): Dtype {
  const elements: Record<Dtype, number> = { F32: 0, F16: 0, BF16: 0 };
  for (const [, { dtype, shape }] of tensors) {
    if (dtype in elements) elements[dtype as Dtype] += sizeOf(shape);
  }
  const [dtype, count] = (Object.entries(elements) as [Dtype, number][]).toSorted((a, b) => b[1] - a[1])[0]!;
  if (count > 0) return dtype;
  throw new UserError({
    problem: 'the checkpoint has no weights that can be used',
    expected: 'tensors in F32, F16 or BF16',
    found: `${tensors.length} tensors of other types`,
    where: folder,
  });
}

async function noWeights(folder: string): Promise<UserError> {
  if (await isAdapter(folder)) return notAModel(folder);
  return new UserError({
    problem: 'the folder has no weights',
    expected: 'model.safetensors or pytorch_model.bin, or the index of either with its shards',
    where: folder,
    remedy: 'Download the weight files into the folder.',
  });
}
