/**
 * New weights for a model that is only described: a Hugging Face folder with config, tokenizer, template and
 * processor, but no weights.
 */

import { copyFile, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { hashOf, normalNumbers } from '../../base/random.ts';
import { parseModelConfig } from '../../checkpoint/config.ts';
import { readJson } from '../../checkpoint/json.ts';
import { writeSafetensors, type TensorSource } from '../../checkpoint/formats/writeSafetensors.ts';
import { isFile } from '../../files/plainFile.ts';
import type { ModelConfig } from '../../model/config.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { sizeOf } from '../../tensor/array.ts';
import { baseWeights } from './student.ts';
import { isHead } from './perception.ts';

/** Standard deviation of the embedding, as in the config of the release. */
const EMBEDDING_DEVIATION = 0.02;

/**
 * Writes a checkpoint of random weights: the same for the same description and seed.
 * @throws UserError if the description holds no config or the folder a model already
 */
export async function initialise(description: string, folder: string, seed: number): Promise<void> {
  const file = path.join(description, 'config.json');
  const config = parseModelConfig(await readJson(file), file);
  const weights = path.join(folder, 'model.safetensors');
  if (await isFile(weights)) {
    throw new UserError({
      problem: 'The folder holds a model already',
      expected: 'a folder without model.safetensors',
      where: folder,
      remedy: 'Name another folder, or remove this one.',
    });
  }
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(description)) {
    if (/\.(json|jinja|txt)$/.test(name))
      await copyFile(path.join(description, name), path.join(folder, name));
  }
  await writeSafetensors(weights, newTensors(config, seed));
}

/** Matrices N(0, 1 / inputs), those that end a residual branch smaller by √(2 · layers); norms 1, biases 0. */
function newTensors(config: ModelConfig, seed: number): TensorSource[] {
  const named: WeightSource = {
    get: (name, shape) => ({ file: name, offset: 0, length: 4 * sizeOf(shape), dtype: 'F32', shape }),
  };
  return [...baseWeights(config, named, true)]
    .filter(([name]) => !isHead(name))
    .map(([name, { shape }]) => ({ name, shape, read: () => newValues(config, name, shape, seed) }));
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
  const depth = name.startsWith('visual.') ? vision.depth : text.layers;
  const endsBranch = /(o_proj|down_proj|attn\.proj)\.weight$/.test(name);
  return 1 / Math.sqrt(inputs * (endsBranch ? 2 * depth : 1));
}
