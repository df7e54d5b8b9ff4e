/**
 * New weights for a model that is only described: a Hugging Face folder with config, tokenizer, template and
 * processor, but no weights.
 */

import { randomBytes } from 'node:crypto';
import { copyFile, readdir, realpath, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UserError } from '../../base/errors.ts';
import { hashOf, normalNumbers } from '../../base/random.ts';
import { readMerged } from '../../checkpoint/adapter/merge.ts';
import { openCheckpoint } from '../../checkpoint/checkpoint.ts';
import { parseModelConfig } from '../../checkpoint/config.ts';
import { copyDescriptions } from '../../checkpoint/copyDescriptions.ts';
import { TRAINED_ON_FILE } from '../../checkpoint/trainedOn.ts';
import { readJson } from '../../checkpoint/json.ts';
import { writeSafetensors, type TensorSource } from '../../checkpoint/formats/writeSafetensors.ts';
import { namesOf } from '../../files/ownFolder.ts';
import { replaceFolder } from '../../files/replaceFolder.ts';
import type { ModelConfig, VisionConfig } from '../../model/config.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { sizeOf } from '../../tensor/array.ts';
import { requireTrainable } from '../trainedBases.ts';
import { baseWeights } from './student.ts';
import { isHead } from './perception.ts';

/** Standard deviation of the embedding, as in the config of the release. */
const EMBEDDING_DEVIATION = 0.02;
/** Begin of the names of the tower's weights. */
const VISION = 'visual.';

/** What its weights' shapes and numbers depend on, and what each is called. */
const SIZE_NAMES = {
  depth: 'layers',
  hiddenSize: 'width',
  heads: 'heads',
  feedForwardSize: 'feed-forward width',
  outputSize: 'output width',
  inChannels: 'channels',
  patchSize: 'patch size',
  temporalPatchSize: 'temporal patch size',
  mergeSize: 'merge size',
  windowSize: 'window size',
  fullAttentionBlocks: 'layers of full attention',
  deepstackBlocks: 'DeepStack layers',
  positionTable: 'learned positions',
} as const satisfies Partial<Record<keyof VisionConfig, string>>;
const TOWER_SIZES = Object.keys(SIZE_NAMES) as (keyof typeof SIZE_NAMES)[];

/**
 * Writes a checkpoint of random weights: the same for the same description and seed. It is there whole or not at all.
 * @param where does not exist yet, or is empty
 * @param tower folder of a model whose vision tower it gets in place of a new one
 * @throws UserError if the description holds no config or the folder anything, if the tower is of other sizes, or if the
 *   disk refuses
 */
export async function initialise(
  description: string,
  where: string,
  seed: number,
  tower?: string,
): Promise<void> {
  const file = path.join(description, 'config.json');
  const config = parseModelConfig(await readJson(file), file);
  requireTrainable(config, file);
  const folder = await realpath(where).catch(() => where);
  await refuseUsed(folder);
  const seen = tower === undefined ? undefined : await towerOf(tower, config.vision, file);
  const write = async (part: string): Promise<void> => {
    await copyDescriptions(description, part, [TRAINED_ON_FILE]);
    await copyFile(file, path.join(part, 'config.json'));
    await writeSafetensors(path.join(part, 'model.safetensors'), newTensors(config, seed, seen));
  };
  await replaceFolder(folder, write, {
    part: `${folder}.part-${randomBytes(4).toString('hex')}`,
    check: () => refuseUsed(folder),
    // Empty, or what came into it stays.
    remove: (old) => rmdir(old),
  });
}

/** @throws UserError if it is of other sizes than the description says */
async function towerOf(folder: string, described: VisionConfig, file: string): Promise<WeightSource> {
  const { config, weights } = await openCheckpoint(folder);
  const keys = TOWER_SIZES.filter((key) => !isDeepStrictEqual(config.vision[key], described[key]));
  if (keys.length === 0) return weights;
  const sizes = (vision: VisionConfig): string =>
    keys.map((key) => `${SIZE_NAMES[key]} ${String(vision[key] ?? 'none')}`).join(', ');
  throw new UserError({
    problem: 'The tower is of other sizes than the description',
    expected: `${sizes(described)}, as ${file} says`,
    found: `${sizes(config.vision)}, in ${folder}`,
    remedy: 'Name a model whose tower has the sizes of the description, or leave out --tower.',
  });
}

async function refuseUsed(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw used(folder, error.code === 'ENOTDIR' ? 'a file' : error.message);
  });
  if (names.length > 0) throw used(folder, namesOf(names));
}

function used(where: string, found: string): UserError {
  return new UserError({
    problem: 'A new model would be written among other files',
    expected: 'a folder that is empty or does not exist yet',
    found,
    where,
    remedy: 'Name another folder.',
  });
}

/** Matrices N(0, 1 / inputs), those that end a residual branch smaller by √(2 · layers); norms 1, biases 0. */
function newTensors(config: ModelConfig, seed: number, tower?: WeightSource): TensorSource[] {
  const named: WeightSource = {
    get: (name, shape) => ({ file: name, offset: 0, length: 4 * sizeOf(shape), dtype: 'F32', shape }),
  };
  return [...baseWeights(config, named, true)]
    .filter(([name]) => !isHead(name))
    .map(([name, { shape }]) => {
      const taken = name.startsWith(VISION) ? tower?.get(name, [...shape]) : undefined;
      const read = () => (taken ? readMerged(taken) : newValues(config, name, shape, seed));
      return { name, shape, read };
    });
}

function newValues(config: ModelConfig, name: string, shape: readonly number[], seed: number): Float32Array {
  const count = sizeOf(shape);
  if (shape.length === 1) return new Float32Array(count).fill(/norm|ln_q/.test(name) ? 1 : 0);
  const deviation = deviationOf(config, name, count / shape[0]!);
  const normal = normalNumbers(hashOf('weights', seed, name));
  return Float32Array.from({ length: count }, () => deviation * normal());
}

function deviationOf({ text, vision }: ModelConfig, name: string, inputs: number): number {
  if (/embed_tokens|lm_head/.test(name)) return EMBEDDING_DEVIATION;
  const depth = name.startsWith(VISION) ? vision.depth : text.layers;
  const endsBranch = /(o_proj|down_proj|attn\.proj)\.weight$/.test(name);
  return 1 / Math.sqrt(inputs * (endsBranch ? 2 * depth : 1));
}
