/**
 * The weights of a checkpoint folder, in one file or in shards, under one set of names: those of
 * transformers 4.50 (`visual.…`, `model.…`, `lm_head.weight`), whichever release wrote the files.
 */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import type { LowRank, PackedMatrix, Weight } from '../model/weightSource.ts';
import type { Dtype, WeightRef } from '../tensor/dtype.ts';
import { sizeOf } from '../tensor/array.ts';
import type { Adapter } from './adapter/adapter.ts';
import { canonicalName } from './names.ts';
import { refuseQuantisedTensors } from './quantised.ts';
import { adapterNotModel, CONFIG_FILES, isShardName, WEIGHT_LAYOUTS } from '../files/modelFolder.ts';
import { isFile, isThere } from '../files/plainFile.ts';
import { parseWith, readJson, show } from './json.ts';
import { locate } from './locations.ts';
import { asWeight, haveEqualBytes, readStoredTensors } from './formats/safetensors.ts';
import type { StoredTensor } from './formats/safetensors.ts';
import { readTorchTensors } from './formats/torchFile.ts';

/** A checkpoint's tensors; nothing of them is in memory. */
export interface Weights {
  /** Whether `lm_head.weight` is the embedding matrix. */
  readonly tied: boolean;
  /** Whether the config says that it is, and the files have another. */
  readonly headDiffers: boolean;
  /** Absolute paths of the checkpoint's own files, sorted; an adapter's is not among them. */
  readonly files: string[];
  /** With an adapter's. */
  readonly allFiles: string[];
  /** The folder from which each weight's `location` counts; sessions must be given this one. */
  readonly root: string;
  /** Canonical names, sorted. A tied `lm_head.weight` is not among them. */
  readonly names: string[];
  /** Rows of the embedding that comes with an adapter, which may know more tokens. */
  readonly adaptedVocabulary?: number;
  /** Elements of all tensors, without an adapter's; a tied output matrix counts once. */
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
  /** See `WeightSource`. */
  readonly half?: boolean;
}

const EMBEDDING = 'model.embed_tokens.weight';
const OUTPUT = 'lm_head.weight';

/**
 * Finds and indexes the weights of a folder; reads headers only, and both embeddings where it must compare them.
 * @param options.tied whether the config says that input and output embeddings are one matrix. As in
 *   transformers, a stored `lm_head.weight` with other values is used all the same; if the config does not
 *   say, they are one when there is none.
 * @param options.adapter comes with the matrices that it was trained for
 * @throws UserError if there are none, a shard is missing, a file is not sound, or the adapter does not fit.
 */
export async function openWeights(
  folder: string,
  options: { tied: boolean | undefined; adapter?: Adapter | undefined },
): Promise<Weights> {
  const tensors = await readTensors(folder);
  refuseQuantisedTensors(tensors);
  const dtype = mostCommonDtype(tensors, folder);
  const ownHead = await hasOwnHead(tensors, options.tied);
  if (!ownHead) tensors.delete(OUTPUT);
  const files = [...new Set([...tensors.values()].map(({ file }) => file))].toSorted();
  const parameterCount = [...tensors.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);

  const { adapter } = options;
  if (adapter !== undefined) applyAdapter(tensors, adapter, !ownHead);
  const allFiles = adapter === undefined ? files : [...files, adapter.file];
  const { root, of: locations } = await locate(allFiles);
  const located = (ref: WeightRef): WeightRef => ({ ...ref, location: locations.get(ref.file)! });
  const addition = (name: string): { adapter?: LowRank } => {
    const found = adapter?.additions.get(name);
    return found === undefined
      ? {}
      : { adapter: { a: located(found.a), b: located(found.b), scale: found.scale } };
  };
  const tied = !ownHead && !tensors.has(OUTPUT);
  const find = (name: string): StoredTensor | undefined =>
    tensors.get(tied && name === OUTPUT ? EMBEDDING : name);
  const adapted = adapter?.replacements.get(EMBEDDING)?.shape[0];
  return {
    tied,
    headDiffers: ownHead && options.tied === true,
    files,
    allFiles,
    root,
    names: [...tensors.keys()].toSorted(),
    ...(adapted !== undefined && { adaptedVocabulary: adapted }),
    parameterCount,
    dtype,
    has: (name) => find(name) !== undefined,
    stored: find,
    get: (name, shape) => ({ ...located(checked(name, shape, find(name), folder)), ...addition(name) }),
  };
}

/**
 * Whether the output matrix is one of its own. transformers 5 uses one that is stored even where the config
 * says that there is none, unless its values are the embedding's.
 */
async function hasOwnHead(
  tensors: ReadonlyMap<string, StoredTensor>,
  declaredTied: boolean | undefined,
): Promise<boolean> {
  const [head, embedding] = [tensors.get(OUTPUT), tensors.get(EMBEDDING)];
  if (head === undefined) return declaredTied === false;
  if (declaredTied !== true || embedding === undefined) return true;
  return !(await haveEqualBytes(head, embedding));
}

/** Puts an adapter's whole weights in place of the model's. */
function applyAdapter(tensors: Map<string, StoredTensor>, adapter: Adapter, tied: boolean): void {
  const { additions, replacements } = adapter;
  const embedding = tensors.get(EMBEDDING);
  // To PEFT a shared matrix stays what it was at the end that the adapter does not change.
  const parts = additions.has(OUTPUT) || replacements.has(OUTPUT) || replacements.has(EMBEDDING);
  if (tied && parts && embedding !== undefined) tensors.set(OUTPUT, embedding);
  for (const [name, tensor] of replacements) {
    checkFit(name, tensor.shape, tensors.get(name), adapter, name === EMBEDDING || name === OUTPUT);
    tensors.set(name, tensor);
  }
  for (const [name, { a, b }] of additions)
    checkFit(name, [b.shape[0]!, a.shape[1]!], tensors.get(name), adapter, false);
}

/** @param grows whether it may have other rows than the model's, for tokens that were added */
function checkFit(
  name: string,
  needed: readonly number[],
  tensor: StoredTensor | undefined,
  { file }: Adapter,
  grows: boolean,
): void {
  const shape = tensor?.shape;
  const fits =
    shape?.length === needed.length && needed.every((n, i) => n === shape[i] || (grows && i === 0));
  if (fits) return;
  throw new UserError({
    problem: 'the adapter does not fit the model',
    expected: `${name} of shape ${show(needed)}`,
    found: shape === undefined ? 'no such weight' : show(shape),
    where: file,
    remedy: `Open the model that the adapter was trained for; its ${CONFIG_FILES.adapter} names it.`,
  });
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
    if (await isThere(single)) return rename(await format.read(single), single);
    if (await isThere(index)) return rename(await readShards(folder, index, format), index);
  }
  throw await noWeights(folder);
}

interface Format {
  /** Name of the file that holds everything; with `.index.json`, of the index of shards. */
  single: string;
  extension: string;
  read(file: string): Promise<Map<string, StoredTensor>>;
}

const READERS = { '.safetensors': readStoredTensors, '.bin': readTorchTensors };

const FORMATS: Format[] = WEIGHT_LAYOUTS.map((layout) => ({ ...layout, read: READERS[layout.extension] }));

const Index = z.object({ weight_map: z.record(z.string(), z.string()) });

async function readShards(folder: string, index: string, format: Format): Promise<Map<string, StoredTensor>> {
  const { weight_map: map } = parseWith(Index, await readJson(index), index);
  const tensors = new Map<string, StoredTensor>();
  for (const shard of new Set(Object.values(map))) {
    const file = await shardPath(folder, shard, index, format.extension);
    // What a shard holds counts: an index may promise a tied output matrix that nobody saved.
    for (const [name, tensor] of await format.read(file)) {
      if (!tensors.has(name) || map[name] === shard) tensors.set(name, tensor);
    }
  }
  return tensors;
}

/** Path of a shard, which must be a plain file beside its index. */
async function shardPath(folder: string, shard: string, index: string, extension: string): Promise<string> {
  if (!isShardName(shard, extension)) {
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

function mostCommonDtype(tensors: ReadonlyMap<string, StoredTensor>, folder: string): Dtype {
  const elements: Record<Dtype, number> = { F32: 0, F16: 0, BF16: 0 };
  for (const { dtype, shape } of tensors.values()) {
    if (dtype in elements) elements[dtype as Dtype] += sizeOf(shape);
  }
  const [dtype, count] = (Object.entries(elements) as [Dtype, number][]).toSorted((a, b) => b[1] - a[1])[0]!;
  if (count > 0) return dtype;
  throw new UserError({
    problem: 'the checkpoint has no weights',
    expected: 'tensors in F32, F16 or BF16',
    found: tensors.size === 0 ? 'files without a tensor' : `${tensors.size} tensors of other types, or empty`,
    where: folder,
    remedy: 'Download the weight files again.',
  });
}

async function noWeights(folder: string): Promise<UserError> {
  if (await isFile(path.join(folder, CONFIG_FILES.adapter))) return adapterNotModel(folder);
  const gguf = (await readdir(folder)).find((name) => name.endsWith('.gguf'));
  return new UserError({
    problem: 'the folder has no weights',
    expected: 'model.safetensors or pytorch_model.bin, or the index of either with its shards',
    ...(gguf !== undefined && { found: `${gguf}, a quantised format that is not supported` }),
    where: folder,
    remedy:
      gguf === undefined
        ? 'Download the weight files into the folder.'
        : 'Open the model that it was made from.',
  });
}
