/**
 * LoRA adapters as PEFT saves them: adapter_config.json and adapter_model.safetensors (or .bin). An adapter adds
 * scale · B A to some matrices of its base model; the product is never formed, the graph has both factors. Beside
 * the factors it may hold whole weights, which take the place of the base model's: embeddings of a larger
 * vocabulary, modules that were trained as they are.
 *
 * The tensors say what is adapted. The config says with which scale, and must not ask for anything else: every
 * setting that would change the arithmetic is refused by name.
 */
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { CONFIG_FILES, findConfig } from '../../files/modelFolder.ts';
import { isFile } from '../../files/plainFile.ts';
import type { LowRank } from '../../model/weightSource.ts';
import { MERGE_FIRST, parseAdapterConfig, settingsOf, type ModuleSettings } from './settings.ts';
import { filesHash } from '../hash.ts';
import { readJson, show } from '../json.ts';
import { canonicalName } from '../names.ts';
import { asWeight, readStoredTensors } from '../formats/safetensors.ts';
import type { StoredTensor } from '../formats/safetensors.ts';
import { readTorchTensors } from '../formats/torchFile.ts';

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
  /** What takes the place of which weight, by its canonical name. */
  replacements: ReadonlyMap<string, StoredTensor>;
}

export const ADAPTER_TENSORS = 'adapter_model.safetensors';
/** What PEFT wrote before 0.6. */
const OLDER_TENSORS = 'adapter_model.bin';

/** Matrices that our graphs multiply by; an adapter of anything else would silently do nothing. */
const ADAPTABLE = [
  /^model\.layers\.\d+\.self_attn\.[qkvo]_proj$/,
  /^model\.layers\.\d+\.mlp\.(gate|up|down)_proj$/,
  /^visual\.blocks\.\d+\.attn\.(qkv|proj)$/,
  /^visual\.blocks\.\d+\.mlp\.(gate|up|down)_proj$/,
  /^visual\.merger\.mlp\.[02]$/,
  /^lm_head$/,
];

/**
 * Opens an adapter; reads its config and the header of its tensors, and hashes both files.
 * @throws UserError if it is none, is not sound, or asks for what we do not compute
 */
export async function openAdapter(where: string): Promise<Adapter> {
  const folder = path.resolve(where);
  const configFile = await findConfig(folder, 'adapter');
  const config = parseAdapterConfig(await readJson(configFile), configFile);
  const { file, tensors } = await readTensors(folder);
  const { factors, replacements } = sortTensors(tensors, file);
  const settings = settingsOf([...factors.keys()], config, configFile);
  const additions = new Map(
    [...factors].map(([name, pair]) => [
      `${name}.weight`,
      lowRank(name, pair, settings.get(name)!, config.use_rslora === true, file),
    ]),
  );
  return {
    folder,
    name: path.basename(folder),
    rank: config.r,
    alpha: config.lora_alpha,
    fingerprint: await filesHash([configFile, file]),
    file,
    additions,
    replacements,
  };
}

async function readTensors(folder: string): Promise<{ file: string; tensors: Map<string, StoredTensor> }> {
  const file = path.join(folder, ADAPTER_TENSORS);
  const older = path.join(folder, OLDER_TENSORS);
  if (!(await isFile(file)) && (await isFile(older)))
    return { file: older, tensors: await readTorchTensors(older) };
  return { file, tensors: await readStoredTensors(file) };
}

const NAMED = /^(?:base_model\.model\.)?(.+)$/;
const FACTOR = /^(.+)\.lora_([AB])\.(?:default\.)?weight$/;
/** PEFT calls a module that it wrapped, to train it or to stand beside it, by another name. */
const WHOLE = /^(.+?)(?:\.base_layer|\.modules_to_save(?:\.default)?)?\.(weight|bias)$/;

type Factors = Partial<Record<'A' | 'B', StoredTensor>>;

/** A and B by module, whole weights by their own names. */
function sortTensors(
  tensors: Map<string, StoredTensor>,
  file: string,
): { factors: Map<string, Factors>; replacements: Map<string, StoredTensor> } {
  const factors = new Map<string, Factors>();
  const replacements = new Map<string, StoredTensor>();
  for (const [key, tensor] of tensors) {
    const name = NAMED.exec(key)?.[1] ?? key;
    const [, adapted, factor] = FACTOR.exec(name) ?? [];
    const [, replaced, kind] = WHOLE.exec(name) ?? [];
    if (adapted !== undefined) addFactor(factors, adapted, factor as 'A' | 'B', tensor, file);
    else if (replaced === undefined || name.includes('lora_')) throw unknownTensor(key, file);
    else addWhole(replacements, canonicalName(`${replaced}.${kind}`), tensor, file);
  }
  if (factors.size > 0) return { factors, replacements };
  throw new UserError({
    problem: 'the adapter is empty',
    expected: 'lora_A and lora_B tensors',
    where: file,
  });
}

function addFactor(
  factors: Map<string, Factors>,
  module: string,
  factor: 'A' | 'B',
  tensor: StoredTensor,
  file: string,
): void {
  const name = canonicalName(module);
  if (!ADAPTABLE.some((pattern) => pattern.test(name))) throw notAdaptable(module, file);
  const pair = factors.get(name) ?? {};
  if (pair[factor] !== undefined) throw unfit(module, 'each factor once', 'it twice', file);
  factors.set(name, { ...pair, [factor]: tensor });
}

function addWhole(
  replacements: Map<string, StoredTensor>,
  name: string,
  tensor: StoredTensor,
  file: string,
): void {
  if (replacements.has(name)) throw unfit(name, 'each weight once', 'it twice', file);
  replacements.set(name, tensor);
}

function lowRank(
  name: string,
  { A, B }: Factors,
  settings: ModuleSettings,
  stabilised: boolean,
  file: string,
): LowRank {
  if (A === undefined || B === undefined)
    throw unfit(name, 'lora_A and lora_B', A === undefined ? 'lora_B only' : 'lora_A only', file);
  const rank = settings.rank ?? A.shape[0] ?? 0;
  if (A.shape.length !== 2 || B.shape.length !== 2 || A.shape[0] !== rank || B.shape[1] !== rank) {
    const expected = `A [${rank}, in] and B [out, ${rank}], the rank of ${CONFIG_FILES.adapter}`;
    throw unfit(name, expected, `A ${show(A.shape)} and B ${show(B.shape)}`, file);
  }
  const scale = settings.alpha / (stabilised ? Math.sqrt(rank) : rank);
  return { a: asWeight(`${name}.lora_A`, A), b: asWeight(`${name}.lora_B`, B), scale };
}

function unknownTensor(key: string, where: string): UserError {
  const dora = key.includes('lora_magnitude_vector');
  return new UserError({
    problem: `the adapter holds a tensor that cannot be applied${dora ? ': DoRA is not supported' : ''}`,
    expected: '….lora_A.weight, ….lora_B.weight and whole weights',
    found: show(key),
    where,
    remedy: MERGE_FIRST,
  });
}

function notAdaptable(module: string, where: string): UserError {
  return new UserError({
    problem: `the adapter changes ${module}, where adapters are not supported`,
    expected: 'projections of attention and feed-forward layers, the merger, or lm_head',
    where,
    remedy: MERGE_FIRST,
  });
}

function unfit(module: string, expected: string, found: string, where: string): UserError {
  return new UserError({ problem: `the adapter's tensors for ${module} do not fit`, expected, found, where });
}
