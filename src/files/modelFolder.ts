/**
 * Which folder holds a model or an adapter. People name the one above it: the root of a model in the Hugging
 * Face cache, a trainer's output, the folder in which PEFT saved adapters under their names.
 */

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { isFile, isThere, readPlainFile, sizeOfFile } from './plainFile.ts';

export type FolderKind = 'model' | 'adapter';

export const CONFIG_FILES: Record<FolderKind, string> = {
  model: 'config.json',
  adapter: 'adapter_config.json',
};

/**
 * How weights lie in a model's folder: in one file, or in shards that `SINGLE.index.json` names. In transformers' own
 * order of preference, which also takes the single file where both are present.
 */
export const WEIGHT_LAYOUTS = [
  { single: 'model.safetensors', extension: '.safetensors' },
  { single: 'pytorch_model.bin', extension: '.bin' },
] as const;

/** Whether an index may name this as a shard: a plain file beside it. Anything else could reach out of the folder. */
export function isShardName(name: string, extension: string): boolean {
  return /^[^/\\:\0]+$/.test(name) && name.endsWith(extension);
}

const NOUNS: Record<FolderKind, string> = { model: 'a model', adapter: 'an adapter' };

/** Deep enough for the cache's root: hub, models--ORG--NAME, snapshots, REVISION. */
const MAX_DEPTH = 4;
/** Of one level; a home folder has no more. */
const MAX_FOLDERS = 500;
const MAX_NAMED = 5;

/**
 * Path of the config in the folder of a model or an adapter.
 * @throws UserError if there is none; it names the folders inside that hold one
 */
export async function findConfig(folder: string, kind: FolderKind): Promise<string> {
  const info = await stat(folder).catch(() => undefined);
  if (info?.isDirectory() !== true) {
    throw new UserError({
      problem: `This folder of ${NOUNS[kind]} cannot be opened`,
      expected: 'a folder',
      found: info === undefined ? 'nothing' : 'a file',
      where: folder,
      remedy: `Choose the folder that holds ${CONFIG_FILES[kind]} and the weights.`,
      ...(kind === 'model' && { choose: kind }),
    });
  }
  const file = path.join(folder, CONFIG_FILES[kind]);
  if (await isThere(file)) {
    // Says what is there, if it is no plain file.
    await sizeOfFile(file);
    // A trainer leaves config and tokenizer on top, and the weights in folders below.
    const inner = (await holdsWeights(folder)) ? [] : await foldersBelow(folder, kind);
    if (inner.length > 0) throw oneLevelTooHigh(folder, kind, inner, 'weights');
    return file;
  }
  const other = kind === 'model' ? 'adapter' : 'model';
  if (await isFile(path.join(folder, CONFIG_FILES[other])))
    throw kind === 'model' ? await adapterNotModel(folder) : modelNotAdapter(folder);
  const meant = await foldersBelow(folder, kind);
  if (meant.length > 0) throw oneLevelTooHigh(folder, kind, meant);
  const others = await foldersBelow(folder, other);
  if (others.length > 0) throw oneLevelTooHigh(folder, other, others);
  throw new UserError({
    problem: `This folder holds no ${kind}`,
    expected: CONFIG_FILES[kind],
    found: 'no such file, here or in the folders below',
    where: folder,
    remedy: `Choose the folder that holds ${CONFIG_FILES[kind]} and the weights.`,
    ...(kind === 'model' && { choose: kind }),
  });
}

/** For the folder of an adapter that was taken for a model's; names its base model. */
export async function adapterNotModel(folder: string): Promise<UserError> {
  const base = await baseOf(folder);
  return new UserError({
    problem: 'This folder holds an adapter, not a model',
    expected: base === undefined ? 'its base model' : `its base model, ${JSON.stringify(base)}`,
    where: folder,
    remedy: 'Open the base model and give this folder as its adapter.',
  });
}

function modelNotAdapter(folder: string): UserError {
  return new UserError({
    problem: 'This folder holds no adapter',
    expected: CONFIG_FILES.adapter,
    found: `a model of its own (${CONFIG_FILES.model})`,
    where: folder,
    remedy: 'Choose the folder that PEFT saved.',
  });
}

async function baseOf(folder: string): Promise<string | undefined> {
  const text = await textOf(path.join(folder, CONFIG_FILES.adapter));
  try {
    const json = parseJson(text ?? 'null');
    const base: unknown =
      typeof json === 'object' && json !== null ? Reflect.get(json, 'base_model_name_or_path') : undefined;
    return typeof base === 'string' && base !== '' ? base.slice(0, 200) : undefined;
  } catch {
    return undefined;
  }
}

function oneLevelTooHigh(
  folder: string,
  kind: FolderKind,
  meant: readonly string[],
  missing = CONFIG_FILES[kind],
): UserError {
  const [only] = meant;
  const last = meant.length === 1 ? only : lastCheckpoint(meant);
  const names = meant.slice(0, MAX_NAMED).map((inner) => path.relative(folder, inner));
  const more = meant.length > names.length ? ` and ${meant.length - names.length} more` : '';
  const one = meant.length === 1 ? `${NOUNS[kind]} in the folder` : `${kind}s in the folders`;
  return new UserError({
    problem: `This folder holds no ${kind} itself`,
    expected: missing,
    found: `${one} ${names.join(', ')}${more}`,
    where: folder,
    remedy:
      last === undefined
        ? 'Choose one of these folders.'
        : `Choose ${last}${meant.length === 1 ? '' : ', which was saved last, or another of these'}.`,
    ...(last !== undefined && { instead: { kind, folder: last } }),
  });
}

/** Of the folders that a trainer saved side by side, the one after the most steps. */
function lastCheckpoint(folders: readonly string[]): string | undefined {
  const steps = folders.map((folder) => /^checkpoint-(\d+)$/.exec(path.basename(folder))?.[1]);
  const beside = folders.every((folder) => path.dirname(folder) === path.dirname(folders[0]!));
  return beside && steps.every((step) => step !== undefined) ? folders.at(-1) : undefined;
}

/** The folders with a config nearest below, numbers in their names in order. */
async function foldersBelow(folder: string, kind: FolderKind): Promise<string[]> {
  let level = [folder];
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
    level = (await Promise.all(level.map(subfolders))).flat().slice(0, MAX_FOLDERS);
    const holds = await Promise.all(level.map((inner) => isFile(path.join(inner, CONFIG_FILES[kind]))));
    const found = level.filter((_, i) => holds[i]);
    if (found.length > 0) return currentSnapshots(found);
  }
  return [];
}

/** Whether a folder has any file of weights, or an index of them. */
async function holdsWeights(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => /\.(safetensors|bin|gguf|pt|pth)$|\.index\.json$/.test(name));
}

async function subfolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => path.join(folder, name))
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/** Without the snapshots of a model in the cache that its refs/main does not name, if it names one of them. */
async function currentSnapshots(folders: string[]): Promise<string[]> {
  const current = await Promise.all(
    folders.map(async (folder) => {
      const snapshots = path.dirname(folder);
      if (path.basename(snapshots) !== 'snapshots') return folder;
      const revision = (await textOf(path.join(snapshots, '..', 'refs', 'main')))?.trim() ?? '';
      const named = path.join(snapshots, revision);
      return folders.includes(named) ? named : folder;
    }),
  );
  return [...new Set(current)];
}

async function textOf(file: string): Promise<string | undefined> {
  const bytes = await readPlainFile(file, { maxBytes: 1_000_000 }).catch(() => undefined);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}
