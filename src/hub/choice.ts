/** Which files of a repository a checkpoint needs. Never programs, and pickles only where there is nothing else. */

import * as z from 'zod';
import { UserError } from '../base/errors.ts';
import { CONFIG_FILES, isShardName, WEIGHT_LAYOUTS, type FolderKind } from '../files/modelFolder.ts';

/** What is read beside the weights, by this program or by transformers. */
const DESCRIPTIONS = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
  'preprocessor_config.json',
  'processor_config.json',
  'video_preprocessor_config.json',
  'ilvr.json',
];
/** In PEFT's order of preference. */
const ADAPTER_WEIGHTS = ['adapter_model.safetensors', 'adapter_model.bin'];
/** A shard of 4 GB each: more than the largest models have. */
const MAX_SHARDS = 1_000;

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

export interface Choice {
  kind: FolderKind;
  /** The config last: a folder without it is not taken for a whole one. */
  names: string[];
}

/**
 * Chooses among the names of a top folder.
 * @param where for messages
 * @param folders names of the folders beside them, for messages
 * @param readIndex parsed content of the file that names the shards
 * @throws UserError if there is no checkpoint or a part of it is missing
 */
export async function chooseFiles(
  names: ReadonlySet<string>,
  { where, folders, readIndex }: ChoiceOptions,
): Promise<Choice> {
  const kind = (['model', 'adapter'] as const).find((each) => names.has(CONFIG_FILES[each]));
  if (kind === undefined) throw noCheckpoint(where, names, folders);
  const weights =
    kind === 'model' ? await modelWeights(names, where, readIndex) : adapterWeights(names, where);
  const descriptions = DESCRIPTIONS.filter((name) => names.has(name));
  return { kind, names: [...descriptions, ...weights, CONFIG_FILES[kind]] };
}

export interface ChoiceOptions {
  where: string;
  folders: readonly string[];
  readIndex: (name: string) => Promise<unknown>;
}

async function modelWeights(
  names: ReadonlySet<string>,
  where: string,
  readIndex: ChoiceOptions['readIndex'],
): Promise<string[]> {
  for (const { single, extension } of WEIGHT_LAYOUTS) {
    if (names.has(single)) return [single];
    const index = `${single}.index.json`;
    if (!names.has(index)) continue;
    const shards = shardsIn(await readIndex(index), extension, `${where}, ${index}`);
    const missing = shards.filter((shard) => !names.has(shard));
    if (missing.length > 0) throw incomplete(where, missing);
    return [...shards, index];
  }
  const gguf = [...names].find((name) => name.endsWith('.gguf'));
  throw new UserError({
    problem: 'This model has no weights that can be read',
    expected: 'model.safetensors or pytorch_model.bin, or the index of either with its shards',
    found: gguf === undefined ? 'neither' : `${gguf}, a quantised format that is not supported`,
    where,
  });
}

function shardsIn(json: unknown, extension: string, where: string): string[] {
  const map = indexSchema.safeParse(json).data?.weight_map;
  const shards = [...new Set(Object.values(map ?? {}))].toSorted();
  const strange = shards.find((shard) => !isShardName(shard, extension));
  if (strange === undefined && shards.length > 0 && shards.length <= MAX_SHARDS) return shards;
  throw new UserError({
    problem: 'The index of the weights cannot be used',
    expected: `a weight_map with the plain names of ${extension} files`,
    found: strange === undefined ? `${shards.length} names` : JSON.stringify(strange),
    where,
  });
}

function adapterWeights(names: ReadonlySet<string>, where: string): string[] {
  const found = ADAPTER_WEIGHTS.find((name) => names.has(name));
  if (found === undefined) throw incomplete(where, ADAPTER_WEIGHTS.slice(0, 1));
  return [found];
}

function incomplete(where: string, missing: readonly string[]): UserError {
  return new UserError({
    problem: 'This model is not complete',
    expected: missing.slice(0, 3).join(', ') + (missing.length > 3 ? ` and ${missing.length - 3} more` : ''),
    found: 'no such file',
    where,
    remedy: 'Ask its makers for a whole one, or try another revision.',
  });
}

function noCheckpoint(where: string, names: ReadonlySet<string>, folders: readonly string[]): UserError {
  const below = folders.slice(0, 5).join(', ');
  return new UserError({
    problem: 'This repository holds no checkpoint on its top level',
    expected: `${CONFIG_FILES.model} or ${CONFIG_FILES.adapter}`,
    found: `${names.size} other files${below === '' ? '' : ` and the folders ${below}`}`,
    where,
    remedy: 'Check the name of the model.',
  });
}
