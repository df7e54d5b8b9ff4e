/** Options that several commands share, and the readers of their values. */

import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { UserError } from '../base/errors.ts';
import {
  REASON_DEFAULTS,
  type LoadedModel,
  type LoadRequest,
  type ReasonRequest,
} from '../protocol/engine.ts';
import { FED, inOrderOfFed, USUAL, type Fed } from '../evaluation/fed.ts';
import { folderOfModel } from '../files/bundledModels.ts';
import { weightsCacheFolder } from '../files/cacheFolder.ts';
import { DEVICE_CHOICES, type DeviceChoice } from '../tensor/device.ts';
import { WEIGHT_CHOICES, type WeightChoice } from '../tensor/weightFormat.ts';

/** Which model, and where it runs. */
export interface ModelOptions {
  /** Absent: the bundled one. */
  model?: string;
  /** Folder of an adapter to apply to it. */
  adapter?: string;
  device: DeviceChoice;
  weights: WeightChoice;
  /** Folder of quantised weights; absent: the user's own. */
  weightsCache?: string;
}

/** How an answer is generated. */
export interface GenerationOptions {
  system?: string;
  minPixels?: number;
  maxPixels?: number;
  latents: ReasonRequest['latents'];
  protocol?: Record<string, unknown>;
  seed: number;
  temperature: number;
  topP: number;
  repetitionPenalty?: number;
  maxTokens: number;
  force: Record<number, number>;
  asReleased?: true;
  /** Names of the options that were given, not left at their defaults. */
  given?: readonly string[];
  topK?: number;
}

/** With --as-released, what the evaluation of the model's authors has in place of the options that were not given. */
export function releasedOptions<Options extends GenerationOptions>(
  options: Options,
  { defaults: { released } }: Pick<LoadedModel, 'defaults'>,
): Options {
  if (options.asReleased !== true) return options;
  const { given = [] } = options;
  const theirs = Object.entries(released ?? {}).filter(([name]) => !given.includes(name));
  return { ...options, ...Object.fromEntries(theirs) };
}

export function addModelOptions(command: Command): Command {
  return command
    .option('--model <dir>', 'Hugging Face folder of the model, or bundled:NAME (default: bundled:maze)')
    .option('--adapter <dir>', 'folder of a LoRA adapter, as PEFT saves it, to apply to the model')
    .addOption(new Option('--device <device>', 'where it runs').choices(DEVICE_CHOICES).default('auto'))
    .addOption(weightsOption())
    .addOption(weightsCacheOption());
}

/** What the weights are computed in. */
export function weightsOption(): Option {
  return new Option(
    '--weights <format>',
    'what its weights are computed in; auto: float32 of a small model that fits into memory, else 8bit',
  )
    .choices(WEIGHT_CHOICES)
    .default('auto');
}

export function weightsCacheOption(): Option {
  return new Option(
    '--weights-cache <dir>',
    `folder of packed weights, made on first use (default: ${weightsCacheFolder()})`,
  );
}

/** How the samples of a file are asked. */
export function addAskingOptions(command: Command): Command {
  return command
    .option('--pictures <dir>', "folder that the paths to pictures count from (default: the file's own)")
    .option('--question <text>', "ask this instead of each sample's own question")
    .option('--sample-questions', "ask in the file's words even if the model names a question of its own");
}

export function addGenerationOptions(command: Command): Command {
  return command
    .option('--system <text>', "system prompt (default: the chat template's own)")
    .option(
      '--max-pixels <n>',
      "reduce larger pictures to so many pixels (default: the checkpoint's own bound)",
      integer('a number of pixels', 1),
    )
    .option(
      '--min-pixels <n>',
      "enlarge smaller pictures to so many pixels (default: the checkpoint's own bound)",
      integer('a number of pixels', 1),
    )
    .addOption(
      new Option(
        '--latents <mode>',
        "forced: as the model's protocol has it, for ILVR exactly K per block; free: ILVR ends blocks itself",
      )
        .choices(['forced', 'free'])
        .default(REASON_DEFAULTS.latents),
    )
    .addOption(
      new Option(
        '--protocol <json>',
        'change rules of the model\'s latent protocol, such as {"count": 4}; docs/models.md has them',
      ).argParser(jsonObject),
    )
    .option('--seed <n>', 'for sampling', integer('a seed', 0), REASON_DEFAULTS.seed)
    .option('--temperature <t>', '0 is greedy', atLeast(0), REASON_DEFAULTS.temperature)
    .option('--top-p <p>', 'nucleus, above 0 and up to 1', share, REASON_DEFAULTS.topP)
    .option('--repetition-penalty <r>', "1 is none (default: the checkpoint's own)", positive)
    .option(
      '--max-tokens <n>',
      'longest answer, latents included',
      integer('a number of tokens', 1),
      REASON_DEFAULTS.maxTokens,
    )
    .option(
      '--as-released',
      "sample, stop and use the system prompt as the evaluation of the model's authors does, where published; options that are given win",
    )
    .addOption(
      new Option('--force <i:id,…>', 'put token <id> at index <i> of the answer')
        .argParser(forcedTokens)
        .default({}, 'none'),
    )
    .hook('preAction', (_, action) => {
      const names = Object.keys(action.opts());
      action.setOptionValue(
        'given',
        names.filter((name) => action.getOptionValueSource(name) === 'cli'),
      );
    });
}

/** The part of a request that these options decide. */
export function requestOptions(
  options: GenerationOptions,
): Pick<ReasonRequest, keyof GenerationOptions & keyof ReasonRequest> {
  const { system, minPixels, maxPixels, repetitionPenalty, latents, protocol, ...sampling } = options;
  const { seed, temperature, topP, maxTokens, force } = sampling;
  return {
    ...(system !== undefined && { system }),
    ...(minPixels !== undefined && { minPixels }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
    latents,
    ...(protocol !== undefined && { protocol }),
    seed,
    temperature,
    topP,
    maxTokens,
    force,
    ...(options.topK !== undefined && { topK: options.topK }),
  };
}

/** The part of a load request that these options decide, with absolute paths. */
export function loadOptions(
  { model, adapter, device, weights, weightsCache }: ModelOptions,
  models: string,
): Omit<LoadRequest, 'id' | 'threads'> {
  return {
    folder: folderOfModel(models, model),
    ...(adapter !== undefined && { adapter: resolve(adapter) }),
    device,
    weights,
    ...(weightsCache !== undefined && { weightsCache: resolve(weightsCache) }),
  };
}

/** "own,zero": what is fed in each pass, or "all" for the usual ones. */
export function fedList(text: string): Fed[] {
  if (text === 'all') return [...USUAL];
  const words = text.split(',').map((word) => word.trim());
  const unknown = words.find((word) => !FED.some((fed) => fed === word));
  if (unknown === undefined) return inOrderOfFed(words as Fed[]);
  throw new InvalidArgumentError(
    `Expected some of ${FED.join(', ')}, with commas, or all; found "${unknown}".`,
  );
}

/** Reads an integer of at least `min`. */
export function integer(what: string, min: number, max?: number): (text: string) => number {
  return (text) => {
    const value = numberIn(text);
    if (!Number.isSafeInteger(value) || value < min || value > (max ?? Infinity))
      throw new InvalidArgumentError(
        `Expected ${what}: a whole number from ${min}${max === undefined ? '' : ` to ${max}`}.`,
      );
    return value;
  };
}

function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Told below, as is JSON of another kind.
  }
  throw new InvalidArgumentError('Expected a JSON object, such as {"count": 4}.');
}

function atLeast(min: number): (text: string) => number {
  return (text) => {
    const value = numberIn(text);
    if (!(value >= min && value < Infinity)) throw new InvalidArgumentError(`Expected a number from ${min}.`);
    return value;
  };
}

/** From 0 to 1. */
export function shareOf(text: string): number {
  const value = numberIn(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('Expected a number from 0 to 1.');
  return value;
}

function share(text: string): number {
  const value = numberIn(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('Expected a number above 0 and up to 1.');
  return value;
}

function positive(text: string): number {
  const value = numberIn(text);
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

/** "3:615,18:615": index of a new token, colon, id. May be given several times. */
export function forcedTokens(text: string, earlier: Record<number, number>): Record<number, number> {
  const forced = { ...earlier };
  for (const pair of text.split(',')) {
    const match = /^\s*(\d{1,9}):(\d{1,9})\s*$/.exec(pair);
    if (match === null)
      throw new InvalidArgumentError(`Expected pairs such as 3:615,18:615, found "${pair}".`);
    forced[Number(match[1])] = Number(match[2]);
  }
  return forced;
}

/** Number('') is 0, which no one means. */
function numberIn(text: string): number {
  return text.trim() === '' ? NaN : Number(text);
}

/** What a reader of ours refuses is a wrong argument. */
export function readWith<T>(read: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      throw error instanceof UserError ? new InvalidArgumentError(error.message) : error;
    }
  };
}
