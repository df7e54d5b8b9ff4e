/**
 * Exports a checkpoint as the release has it: a Hugging Face folder with a flat config, weights under the
 * names of transformers 4.50 in one safetensors file, and an adapter, if one is applied, merged into them.
 */

import { randomBytes } from 'node:crypto';
import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { CancelledError, UserError } from '../base/errors.ts';
import { baseOf, BASES } from '../model/bases/all.ts';
import type { BaseName } from '../model/bases/name.ts';
import { isIlvr } from '../model/families/ilvr.ts';
import { decoderGraph, embeddingGraph, headGraph } from '../model/decoder.ts';
import { visionGraph } from '../model/vision.ts';
import type { Weight, WeightSource } from '../model/weightSource.ts';
import { sizeOf } from '../tensor/array.ts';
import type { Checkpoint } from './checkpoint.ts';
import { CHECKPOINT_BASES } from './bases/all.ts';
import type { ExportedFiles } from './bases/base.ts';
import { CONFIG_FILES } from '../files/modelFolder.ts';
import { isFile } from '../files/plainFile.ts';
import { parseWith, readJson } from './json.ts';
import { readMerged } from './adapter/merge.ts';
import { writeJson } from '../files/replaceFile.ts';
import {
  inventory,
  inventoryOf,
  namesOf,
  othersIn,
  removeListed,
  type Inventory,
} from '../files/ownFolder.ts';
import { replaceFolder } from '../files/replaceFolder.ts';
import { copyDescriptions } from './copyDescriptions.ts';
import { writeSafetensors, type TensorSource } from './formats/writeSafetensors.ts';

export type ExportDtype = 'bfloat16' | 'float32';

export interface ExportOptions {
  dtype: ExportDtype;
  signal?: AbortSignal;
  /** Called before each tensor with the share that is written. */
  onProgress?: (tensor: string, fraction: number) => void;
}

export interface Exported {
  tensors: number;
  parameters: number;
  /** Matrices that an adapter was merged into. */
  merged: number;
}

/** What was exported, and the files; it marks a folder that may be replaced as long as nothing else is in it. */
const MARK = 'ilvr_export.json';
/** Of other folders than the export: a run's state, an adapter that transformers would look for. */
const LEFT_OUT = [MARK, 'state.json', CONFIG_FILES.adapter];

/**
 * Writes the folder. One tensor is in memory at a time.
 * @param where is replaced if it is an export
 * @throws UserError if it holds anything else, or the disk refuses; CancelledError. It is then as it was
 */
export async function exportCheckpoint(
  checkpoint: Checkpoint,
  where: string,
  options: ExportOptions,
): Promise<Exported> {
  const { config, unknownLatents } = checkpoint;
  const foreign = config.protocol === undefined || isIlvr(config.protocol) ? undefined : config.protocol.name;
  if (foreign !== undefined || unknownLatents !== undefined)
    throw notOurs(checkpoint.folder, foreign ?? 'unknown');
  const files = CHECKPOINT_BASES[config.text.base].exported;
  if (files === undefined) throw notWritten(checkpoint.folder, baseOf(config.text).label);
  const folder = await realpath(where).catch(() => path.resolve(where));
  const earlier = await earlierExport(folder, checkpoint);
  const weights = weightsOf(checkpoint);
  await replaceFolder(folder, async (into) => writeInto(into, checkpoint, weights, files, options), {
    part: `${folder}.part-${randomBytes(4).toString('hex')}`,
    check: async () => void (await earlierExport(folder, checkpoint)),
    remove: async (old) => removeListed(old, earlier, MARK),
  });
  const refs = [...weights.values()];
  return {
    tensors: refs.length,
    parameters: refs.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    merged: refs.filter(({ adapter }) => adapter !== undefined).length,
  };
}

async function writeInto(
  folder: string,
  checkpoint: Checkpoint,
  weights: ReadonlyMap<string, Weight>,
  files: ExportedFiles,
  options: ExportOptions,
): Promise<void> {
  const { adapter, fingerprint } = checkpoint;
  await copyDescriptions(checkpoint.folder, folder, LEFT_OUT);
  if (checkpoint.tokenizer.folder !== checkpoint.folder)
    await copyDescriptions(checkpoint.tokenizer.folder, folder, LEFT_OUT);
  await writeMissing(path.join(folder, 'generation_config.json'), generationConfig(checkpoint));
  await writeMissing(path.join(folder, 'preprocessor_config.json'), processorConfig(checkpoint, files));
  await writeJson(path.join(folder, 'config.json'), await releasedConfig(checkpoint, files, options.dtype));
  const dtype = options.dtype === 'bfloat16' ? 'BF16' : 'F32';
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensorsOf(weights, options), dtype);
  await writeJson(path.join(folder, MARK), {
    dtype: options.dtype,
    fingerprint,
    ...(adapter !== undefined && {
      merged: { name: adapter.name, rank: adapter.rank, alpha: adapter.alpha, sha256: adapter.fingerprint },
    }),
    files: await inventoryOf(folder),
  });
}

/** Every weight that the model's graphs ask for. */
function weightsOf({ config, weights }: Checkpoint): ReadonlyMap<string, Weight> {
  const asked = new Map<string, Weight>();
  const source: WeightSource = {
    get: (name, shape) => {
      const weight = weights.get(name, shape);
      asked.set(name, weight);
      return weight;
    },
  };
  visionGraph(config.vision, source);
  embeddingGraph(config.text, source);
  decoderGraph(config.text, source);
  headGraph(config.text, source);
  return asked;
}

function tensorsOf(
  weights: ReadonlyMap<string, Weight>,
  { signal, onProgress }: ExportOptions,
): TensorSource[] {
  const total = [...weights.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  let done = 0;
  return [...weights].map(([name, weight]) => ({
    name,
    shape: weight.shape,
    read: async () => {
      if (signal?.aborted === true) throw new CancelledError('The export');
      onProgress?.(name, done / total);
      done += sizeOf(weight.shape);
      return readMerged(weight);
    },
  }));
}

/** config.json as the base writes it, with torch_dtype in place of dtype and what files and adapter have decided. */
async function releasedConfig(
  checkpoint: Checkpoint,
  { config: written }: ExportedFiles,
  dtype: ExportDtype,
): Promise<object> {
  const { text, tokens, latentSize } = checkpoint.config;
  const file = path.join(checkpoint.folder, 'config.json');
  const given = parseWith(Config, await readJson(file), file);
  const { text_config: inner, vision_config: vision, ...outer } = given;
  const { dtype: _named, ...flat } = { ...outer, ...inner };
  const { dtype: _same, torch_dtype: _older, ...tower } = vision;
  const settings = {
    ...flat,
    torch_dtype: dtype,
    tie_word_embeddings: text.tiedEmbeddings,
    vocab_size: text.vocabularySize,
    image_token_id: tokens.imagePad,
    vision_start_token_id: tokens.visionStart,
    vision_end_token_id: tokens.visionEnd,
    ...(tokens.latent !== undefined && {
      latent_token_id: tokens.latent.pad,
      latent_start_id: tokens.latent.start,
      latent_end_id: tokens.latent.end,
      latent_size: latentSize,
    }),
  };
  return written(settings, tower, checkpoint.config);
}

const Config = z.looseObject({
  text_config: z.looseObject({}).optional(),
  vision_config: z.looseObject({}),
});

/** For a checkpoint whose config.json alone said how answers end. */
function generationConfig({ generation }: Checkpoint): object {
  const { eosIds, padId, repetitionPenalty, temperature, topP } = generation;
  return {
    eos_token_id: eosIds,
    ...(padId !== undefined && { pad_token_id: padId }),
    repetition_penalty: repetitionPenalty,
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
  };
}

/** For a checkpoint whose processor_config.json alone said how pictures are read, as transformers 5 may write it. */
function processorConfig({ processor }: Checkpoint, files: ExportedFiles): object {
  const { minPixels, maxPixels, patchSize, temporalPatchSize, mergeSize, mean, std } = processor;
  return {
    image_processor_type: files.imageProcessor,
    processor_class: files.processor,
    min_pixels: minPixels,
    max_pixels: maxPixels,
    patch_size: patchSize,
    temporal_patch_size: temporalPatchSize,
    merge_size: mergeSize,
    image_mean: mean,
    image_std: std,
    rescale_factor: processor.rescaleFactor,
  };
}

async function writeMissing(file: string, content: object): Promise<void> {
  if (!(await isFile(file))) await writeJson(file, content);
}

/**
 * Nothing is replaced but an earlier export, and never what is read from.
 * @returns the files of the export that will be replaced
 */
async function earlierExport(folder: string, { folder: source, adapter }: Checkpoint): Promise<Inventory> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw refused(folder, 'a folder', error.code === 'ENOTDIR' ? 'a file' : error.message);
  });
  if (names.length === 0) return {};
  if (!names.includes(MARK)) throw refused(folder, 'an empty folder, or an earlier export', namesOf(names));
  const mark = path.join(folder, MARK);
  const { files } = parseWith(Mark, await readJson(mark), mark);
  if (files === undefined)
    throw refused(folder, 'an export that lists its files', 'one of an earlier version, which does not');
  const others = await othersIn(folder, files, MARK);
  if (others.length > 0) throw refused(folder, 'an earlier export, as it was written', namesOf(others));
  const target = `${await realpath(folder)}${path.sep}`;
  for (const read of [source, ...(adapter === undefined ? [] : [adapter.folder])]) {
    if (`${await realpath(read)}${path.sep}`.startsWith(target))
      throw refused(folder, 'a folder other than what is exported', 'the same');
  }
  return files;
}

const Mark = z.looseObject({ files: inventory.optional() });

/** An export has the weights of Qwen2.5-VL and the config of ILVR; what another protocol needs would be lost. */
function notOurs(where: string, protocol: string): UserError {
  return new UserError({
    problem: 'cannot export a checkpoint of another latent protocol',
    expected: 'an ILVR checkpoint, or a plain Qwen2.5-VL',
    found: protocol,
    where,
  });
}

function notWritten(where: string, found: string): UserError {
  const written = Object.entries(CHECKPOINT_BASES).filter(([, { exported }]) => exported !== undefined);
  return new UserError({
    problem: 'cannot export a checkpoint of this base model',
    expected: written.map(([name]) => BASES[name as BaseName].label).join(' or '),
    found,
    where,
  });
}

function refused(where: string, expected: string, found: string): UserError {
  return new UserError({
    problem: 'cannot export there',
    expected,
    found,
    where,
    remedy: 'Name a folder that does not exist yet, or take your files out of this one.',
  });
}
