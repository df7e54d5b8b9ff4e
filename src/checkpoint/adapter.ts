/**
 * LoRA adapters as PEFT saves them: adapter_config.json and adapter_model.safetensors (or .bin). An adapter adds
 * scale · B A to some matrices of its base model; the product is never formed, the graph has both factors.
 *
 * The tensors say what is adapted. The config says with which rank and scale, and must not ask for
 * anything else: every setting that would change the arithmetic is refused by name.
 */
import path from 'node:path';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';
import { UserError, messageOf } from '../base/errors.ts';
import type { LowRank } from '../model/weightSource.ts';
import { filesHash } from './hash.ts';
import { isFile } from '../files/plainFile.ts';
import { parseWith, readJson, show } from './json.ts';
import { canonicalName, newerName } from './names.ts';
import { asWeight, readStoredTensors } from './formats/safetensors.ts';
import type { StoredTensor } from './formats/safetensors.ts';
import { readTorchTensors } from './formats/torchFile.ts';

export interface Adapter {
  /** Absolute path. */
  folder: string;
  /** The folder's name. */
  name: string;
  /** The config's; single matrices may have others. */
  rank: number;
  alpha: number;
  /** sha256 over its config and all its bytes: unlike a checkpoint it is small. */
  fingerprint: string;
  /** The file of its tensors. */
  file: string;
  /** What it adds to which weight, by the weight's canonical name. */
  additions: ReadonlyMap<string, LowRank>;
  /**
   * Compares its shapes with the base model's.
   * @param find a weight of the base model
   * @throws UserError naming the first matrix that is missing there or has another size
   */
  checkFit(find: (name: string) => { shape: number[] } | undefined, tied: boolean): void;
}

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_TENSORS = 'adapter_model.safetensors';
/** What PEFT wrote before 0.6. */
const OLDER_TENSORS = 'adapter_model.bin';
/** A real pattern takes microseconds; one that backtracks for ever is stopped. */
const PATTERN_TIMEOUT_MS = 1_000;

/** Matrices that our graphs multiply by; an adapter of anything else would silently do nothing. */
const ADAPTABLE = [
  /^model\.layers\.\d+\.self_attn\.[qkvo]_proj$/,
  /^model\.layers\.\d+\.mlp\.(gate|up|down)_proj$/,
  /^visual\.blocks\.\d+\.attn\.(qkv|proj)$/,
  /^visual\.blocks\.\d+\.mlp\.(gate|up|down)_proj$/,
  /^visual\.merger\.mlp\.[02]$/,
  /^lm_head$/,
];

/** Settings that change the arithmetic when they are anything but null, false or empty. */
const UNSUPPORTED = [
  'fan_in_fan_out',
  'lora_bias',
  'modules_to_save',
  'layer_replication',
  'trainable_token_indices',
  'target_parameters',
  'alora_invocation_tokens',
  'arrow_config',
  'kasa_config',
  'megatron_config',
  'monteclora_config',
  'velora_config',
];

/** Initialisations that leave the base model as it is; PiSSA, OLoRA, LoftQ and others change it. */
const HARMLESS_INIT = [undefined, null, true, false, 'gaussian', 'orthogonal', 'eva'];

const Config = z.looseObject({
  peft_type: z.literal('LORA', 'LORA: other kinds of adapters are not supported'),
  r: z.int().positive().max(100_000),
  lora_alpha: z.number(),
  bias: z.literal('none', '"none": trained biases are not supported').nullish(),
  use_rslora: z.boolean().nullish(),
  rank_pattern: z.record(z.string(), z.int().positive().max(100_000)).nullish(),
  alpha_pattern: z.record(z.string(), z.number()).nullish(),
  target_modules: z.union([z.string(), z.array(z.string())], 'a pattern or a list of names').nullish(),
});
type AdapterConfig = z.infer<typeof Config>;

/** Whether the folder holds an adapter and no model of its own. */
export async function isAdapter(folder: string): Promise<boolean> {
  return isFile(path.join(folder, ADAPTER_CONFIG));
}

/** For a folder with an adapter that was opened as a model. */
export async function notAModel(folder: string): Promise<UserError> {
  const config = await readJson(path.join(folder, ADAPTER_CONFIG)).catch(() => undefined);
  const base: unknown =
    typeof config === 'object' && config !== null
      ? Reflect.get(config, 'base_model_name_or_path')
      : undefined;
  const named = typeof base === 'string' && base !== '';
  return new UserError({
    problem: 'the folder holds an adapter, not a model',
    expected: named ? `its base model, ${show(base)}` : 'its base model',
    where: folder,
    remedy: 'Open the base model and give this folder as its adapter.',
  });
}

/**
 * Opens an adapter; reads its config and the header of its tensors, and hashes both files.
 * @throws UserError if it is none, is not sound, or asks for what we do not compute
 */
export async function openAdapter(where: string): Promise<Adapter> {
  const folder = path.resolve(where);
  const configFile = path.join(folder, ADAPTER_CONFIG);
  if (!(await isFile(configFile))) throw await noAdapter(folder);
  const json = await readJson(configFile);
  refuseUnsupported(json, configFile);
  const config = parseWith(Config, json, configFile);
  const { file, tensors } = await readTensors(folder);
  const additions = pairUp(tensors, config, { file, configFile });
  return {
    folder,
    name: path.basename(folder),
    rank: config.r,
    alpha: config.lora_alpha,
    fingerprint: await filesHash([configFile, file]),
    file,
    additions,
    checkFit: (find, tied) => checkFit(additions, find, tied, file),
  };
}

async function readTensors(folder: string): Promise<{ file: string; tensors: Map<string, StoredTensor> }> {
  const file = path.join(folder, ADAPTER_TENSORS);
  const older = path.join(folder, OLDER_TENSORS);
  if (!(await isFile(file)) && (await isFile(older)))
    return { file: older, tensors: await readTorchTensors(older) };
  return { file, tensors: await readStoredTensors(file) };
}

function refuseUnsupported(json: unknown, where: string): void {
  if (typeof json !== 'object' || json === null) return;
  const switches = Object.keys(json).filter((key) => key.startsWith('use_') && key !== 'use_rslora');
  for (const key of [...UNSUPPORTED, ...switches]) {
    const value: unknown = Reflect.get(json, key);
    if (isNeutral(value)) continue;
    throw unsupported(`the adapter uses "${key}", which is not supported`, value, where);
  }
  const init: unknown = Reflect.get(json, 'init_lora_weights');
  if (HARMLESS_INIT.some((value) => value === init)) return;
  throw unsupported('the adapter was started in a way that changes the base model', init, where);
}

function unsupported(problem: string, found: unknown, where: string): UserError {
  return new UserError({
    problem,
    found: show(found),
    where,
    remedy: "Merge it into its base model with PEFT's merge_and_unload and open the result.",
  });
}

function isNeutral(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

interface Files {
  file: string;
  configFile: string;
}

const FACTOR = /^(?:base_model\.model\.)?(.+)\.lora_([AB])\.(?:default\.)?weight$/;

/** A and B of each module, with its scale. */
function pairUp(
  tensors: Map<string, StoredTensor>,
  config: AdapterConfig,
  files: Files,
): ReadonlyMap<string, LowRank> {
  const modules = new Map<string, Partial<Record<'A' | 'B', StoredTensor>>>();
  for (const [key, tensor] of tensors) {
    const [, module, factor] = FACTOR.exec(key) ?? [];
    if (module === undefined) throw unknownTensor(key, files.file);
    const name = canonicalName(module);
    if (!ADAPTABLE.some((pattern) => pattern.test(name))) throw notAdaptable(module, files.file);
    const pair = modules.get(name) ?? {};
    if (pair[factor as 'A' | 'B'] !== undefined)
      throw unfit(module, 'each factor once', 'it twice', files.file);
    modules.set(name, { ...pair, [factor as 'A' | 'B']: tensor });
  }
  if (modules.size === 0) {
    throw new UserError({
      problem: 'the adapter is empty',
      expected: 'lora_A and lora_B tensors',
      where: files.file,
    });
  }
  const settings = settingsOf([...modules.keys()], config, files.configFile);
  return new Map(
    [...modules].map(([name, pair]) => [`${name}.weight`, lowRank(name, pair, settings.get(name)!, files)]),
  );
}

function lowRank(
  name: string,
  { A, B }: Partial<Record<'A' | 'B', StoredTensor>>,
  { rank, scale }: ModuleSettings,
  { file }: Files,
): LowRank {
  if (A === undefined || B === undefined)
    throw unfit(name, 'lora_A and lora_B', A === undefined ? 'lora_B only' : 'lora_A only', file);
  const found = `A ${show(A.shape)} and B ${show(B.shape)}`;
  if (A.shape.length !== 2 || B.shape.length !== 2 || A.shape[0] !== rank || B.shape[1] !== rank)
    throw unfit(name, `A [${rank}, in] and B [out, ${rank}], the rank of ${ADAPTER_CONFIG}`, found, file);
  return { a: asWeight(`${name}.lora_A`, A), b: asWeight(`${name}.lora_B`, B), scale };
}

interface ModuleSettings {
  rank: number;
  /** α / r, or α / √r for rank-stabilised adapters. */
  scale: number;
}

/** The settings of each module, as PEFT finds them; patterns are a stranger's and run for a bounded time. */
function settingsOf(names: string[], config: AdapterConfig, where: string): Map<string, ModuleSettings> {
  const run = (): Map<string, ModuleSettings> =>
    new Map(names.map((name) => [name, moduleSettings(name, config, where)]));
  try {
    return runInNewContext('run()', { run }, { timeout: PATTERN_TIMEOUT_MS }) as Map<string, ModuleSettings>;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError({
      problem: 'a pattern of the adapter cannot be used',
      expected: 'names of modules, or a pattern of them',
      found: messageOf(error),
      where,
    });
  }
}

function moduleSettings(name: string, config: AdapterConfig, where: string): ModuleSettings {
  if (!isTargeted(name, config.target_modules)) {
    throw new UserError({
      problem: `the adapter has tensors for ${name}, which its config does not name`,
      expected: 'a module of target_modules',
      found: show(config.target_modules),
      where,
      remedy: 'The two files belong to different adapters; download them together.',
    });
  }
  const rank = patternValue(name, config.rank_pattern) ?? config.r;
  const alpha = patternValue(name, config.alpha_pattern) ?? config.lora_alpha;
  return { rank, scale: alpha / (config.use_rslora === true ? Math.sqrt(rank) : rank) };
}

/** The module's name in either spelling; which one patterns were written for depends on transformers. */
function spellings(name: string): string[] {
  return [name, newerName(name)];
}

/** PEFT: a list holds names or their ends, a text is a pattern of the whole name. */
function isTargeted(name: string, target: AdapterConfig['target_modules']): boolean {
  if (target === undefined || target === null || target === 'all-linear') return true;
  if (typeof target === 'string') {
    const pattern = new RegExp(`^(?:${target})$`);
    return spellings(name).some((spelling) => pattern.test(spelling));
  }
  return target.some((end) => spellings(name).some((full) => full === end || full.endsWith(`.${end}`)));
}

/** PEFT: the first key that, as a pattern, ends the name at a dot. */
function patternValue(name: string, patterns: Record<string, number> | null | undefined): number | undefined {
  const found = Object.entries(patterns ?? {}).find(([key]) => {
    const pattern = new RegExp(`^(?:.*\\.)?(?:${key})$`);
    return spellings(name).some((spelling) => pattern.test(spelling));
  });
  return found?.[1];
}

function checkFit(
  additions: ReadonlyMap<string, LowRank>,
  find: (name: string) => { shape: number[] } | undefined,
  tied: boolean,
  file: string,
): void {
  for (const [name, { a, b }] of additions) {
    if (tied && name === 'lm_head.weight') {
      throw new UserError({
        problem: 'the adapter changes the output matrix, which this model shares with its input',
        expected: 'an adapter without lm_head',
        where: file,
      });
    }
    const shape = find(name)?.shape;
    const needed = [b.shape[0]!, a.shape[1]!];
    if (shape?.length === 2 && shape.every((length, i) => length === needed[i])) continue;
    throw new UserError({
      problem: 'the adapter does not fit the model',
      expected: `${name} of shape ${show(needed)}`,
      found: shape === undefined ? 'no such weight' : show(shape),
      where: file,
      remedy: `Open the model that the adapter was trained for; its ${ADAPTER_CONFIG} names it.`,
    });
  }
}

function unknownTensor(key: string, where: string): UserError {
  const dora = key.includes('lora_magnitude_vector');
  return new UserError({
    problem: `the adapter holds a tensor that cannot be applied${dora ? ': DoRA is not supported' : ''}`,
    expected: 'only ….lora_A.weight and ….lora_B.weight',
    found: show(key),
    where,
    remedy: "Merge it into its base model with PEFT's merge_and_unload and open the result.",
  });
}

function notAdaptable(module: string, where: string): UserError {
  return new UserError({
    problem: `the adapter changes ${module}, where adapters are not supported`,
    expected: 'projections of attention and feed-forward layers, the merger, or lm_head',
    where,
    remedy: "Merge it into its base model with PEFT's merge_and_unload and open the result.",
  });
}

function unfit(module: string, expected: string, found: string, where: string): UserError {
  return new UserError({ problem: `the adapter's tensors for ${module} do not fit`, expected, found, where });
}

async function noAdapter(folder: string): Promise<UserError> {
  return new UserError({
    problem: 'the folder holds no adapter',
    expected: `${ADAPTER_CONFIG} and ${ADAPTER_TENSORS}`,
    found: (await isFile(path.join(folder, 'config.json'))) ? 'a model of its own' : 'neither',
    where: folder,
    remedy: 'Choose the folder that PEFT saved.',
  });
}
