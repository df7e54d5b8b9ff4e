/** adapter_config.json: which rank and scale each module of a LoRA adapter has. */

import { z } from 'zod';
import { UserError, messageOf } from '../../base/errors.ts';
import { bounded } from '../bounded.ts';
import { parseWith, show } from '../json.ts';
import { newerName } from '../names.ts';

/** Settings that change the arithmetic when they are anything but null, false or empty. */
const UNSUPPORTED = [
  'fan_in_fan_out',
  'lora_bias',
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
export type AdapterConfig = z.infer<typeof Config>;

export const MERGE_FIRST = "Merge it into its base model with PEFT's merge_and_unload and open the result.";

/**
 * @param where path of the config, for messages
 * @throws UserError naming a setting that is wrong, or that asks for what is not computed
 */
export function parseAdapterConfig(json: unknown, where: string): AdapterConfig {
  refuseUnsupported(json, where);
  return parseWith(Config, json, where);
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
  return new UserError({ problem, found: show(found), where, remedy: MERGE_FIRST });
}

function isNeutral(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

export interface ModuleSettings {
  /** Undefined where the config's patterns cannot say; then the tensors do. */
  rank: number | undefined;
  alpha: number;
}

/**
 * The settings of each module, as PEFT finds them. Patterns are a stranger's and run for a bounded time.
 * @param names of modules that have tensors; these say what is adapted, so that a pattern of `target_modules`,
 *   which Python alone may understand, need not
 * @throws UserError if a list of `target_modules` does not name one, or its α cannot be found
 */
export function settingsOf(
  names: readonly string[],
  config: AdapterConfig,
  where: string,
): Map<string, ModuleSettings> {
  try {
    return bounded(() => new Map(names.map((name) => [name, moduleSettings(name, config, where)])));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw unusable(messageOf(error), where);
  }
}

function moduleSettings(name: string, config: AdapterConfig, where: string): ModuleSettings {
  const { target_modules: target, rank_pattern: ranks, alpha_pattern: alphas } = config;
  if (Array.isArray(target) && !isListed(name, target)) {
    throw new UserError({
      problem: `the adapter has tensors for ${name}, which its config does not name`,
      expected: 'a module of target_modules',
      found: show(target),
      where,
      remedy: 'The two files belong to different adapters; download them together.',
    });
  }
  const alpha = patternValue(name, alphas, config.lora_alpha);
  if (alpha === undefined) throw unusable(`"alpha_pattern": ${show(alphas)}`, where);
  return { rank: patternValue(name, ranks, config.r), alpha };
}

/** The module's name in either spelling; which one patterns were written for depends on transformers. */
function spellings(name: string): string[] {
  return [name, newerName(name)];
}

/** PEFT: a list holds names or their ends. */
function isListed(name: string, ends: readonly string[]): boolean {
  return ends.some((end) => spellings(name).some((full) => full === end || full.endsWith(`.${end}`)));
}

/**
 * PEFT: the value of the first key that, as a pattern, ends the name at a dot; else the common one.
 * @returns undefined if a pattern before that is one of Python's that JavaScript does not have
 */
function patternValue(
  name: string,
  patterns: Record<string, number> | null | undefined,
  common: number,
): number | undefined {
  for (const [key, value] of Object.entries(patterns ?? {})) {
    const pattern = pythonPattern(`^(?:.*\\.)?(?:${key})$`);
    if (pattern === undefined) return undefined;
    if (spellings(name).some((spelling) => pattern.test(spelling))) return value;
  }
  return common;
}

/**
 * A pattern of Python's `re` for names of modules, which have no line breaks.
 * @returns undefined for one that JavaScript does not have
 */
export function pythonPattern(source: string): RegExp | undefined {
  const spelled = source
    // (?P<name>…), (?P=name); \A, \Z and \z; {,3}; groups with flags that make no difference to a name.
    .replaceAll(
      /\\[\s\S]|\(\?P<|\(\?P=(\w+)\)|\{,(?=\d+\})|\(\?[asu]+[):]/g,
      (piece, backReference?: string) => {
        if (backReference !== undefined) return `\\k<${backReference}>`;
        if (piece.startsWith('(?') && piece.endsWith(')')) return '';
        return SPELLINGS[piece] ?? (piece.startsWith('(?') ? '(?:' : piece);
      },
    );
  try {
    return new RegExp(spelled);
  } catch {
    return undefined;
  }
}

const SPELLINGS: Partial<Record<string, string>> = {
  '(?P<': '(?<',
  '{,': '{0,',
  '\\A': '^',
  '\\Z': '$',
  '\\z': '$',
};

function unusable(found: string, where: string): UserError {
  return new UserError({
    problem: 'a pattern of the adapter cannot be used',
    expected: 'names of modules, or a pattern of them',
    found,
    where,
    remedy: MERGE_FIRST,
  });
}
