/**
 * What a model will take in each format of its weights, from headers and sizes alone, and which format it is opened in
 * for that. The run itself is looked at again when its pictures are known (./room.ts).
 */

import { UserError } from '../base/errors.ts';
import { planPicture } from '../checkpoint/pixels/smartResize.ts';
import type { ModelConfig, ProcessorConfig } from '../model/config.ts';
import {
  attentionMemory,
  featureMemory,
  latentMemory,
  pixelMemory,
  promptMemory,
  towerMemory,
  type Size,
} from '../model/memory.ts';
import type { Provider } from '../ort/session.ts';
import { availableMemory, inBytes, saysOutOfMemory } from '../process/memory.ts';
import type { Fit, FormatNeeds, MemoryPlan } from '../protocol/engine.ts';
import { matricesOf, rowsOf } from '../quantise/matrices.ts';
import { formatOf, isScheme, packedBytes } from '../quantise/schemes.ts';
import { BYTES } from '../tensor/dtype.ts';
import { DEVICE_FACTS } from '../tensor/device.ts';
import { formatLabel, WEIGHT_FORMATS, type WeightChoice, type WeightFormat } from '../tensor/weightFormat.ts';

/** What is planned for. */
export interface Workload {
  pictures: readonly Size[];
  /** Of the question and the answer. */
  textTokens: number;
  /** Whose attention, all layers and heads, is kept. */
  latents: number;
}

/** A picture of a megapixel, a long answer, four latent blocks. */
export const USUAL: Workload = { pictures: [{ width: 1024, height: 1024 }], textTokens: 640, latents: 32 };

export interface PlanContext {
  config: ModelConfig;
  processor: ProcessorConfig;
  /** Stored, a shared matrix once. */
  parameterCount: number;
  provider: Provider;
  /** Bytes that can be taken. */
  free: number;
  workload?: Workload;
}

/** Node, the runtime and the tokenizer. */
const PROGRAM = 250e6;
/** A model with fewer parameters is opened in float32 where it fits: it is fast enough, and exact. */
const SMALL = 1e9;

/** The smallest picture and a word: what must fit, whatever is asked. */
const LEAST: Workload = { pictures: [{ width: 28, height: 28 }], textTokens: 64, latents: 0 };

/** What each format needs, in the order of `WEIGHT_FORMATS`. */
export function needsByFormat(context: PlanContext): FormatNeeds[] {
  const run = runMemory(context, context.workload ?? USUAL);
  const least = Object.values(runMemory(context, LEAST)).reduce((sum, bytes) => sum + bytes, PROGRAM);
  return WEIGHT_FORMATS.map((format) => {
    const weights = weightMemory(context, format);
    const total = PROGRAM + weights + run.picture + run.prompt + run.capture;
    const refused = refusalOf(format, least + weights, context);
    return {
      format,
      weights,
      ...run,
      total,
      least: least + weights,
      ...(refused !== undefined && { refused }),
    };
  });
}

/** What a run takes beside the weights. */
function runMemory(
  { config, processor }: PlanContext,
  { pictures, textTokens, latents }: Workload,
): Pick<FormatNeeds, 'picture' | 'prompt' | 'capture'> {
  const planned = pictures.map((source) => ({ source, ...planPicture(source, processor) }));
  const largest = Math.max(
    0,
    ...planned.map(
      ({ source, resized, grid }) =>
        pixelMemory(source, resized, processor) + towerMemory(config.vision, grid),
    ),
  );
  const features = planned.reduce((sum, { grid }) => sum + featureMemory(config.vision, grid), 0);
  const pads = planned.reduce((sum, { mergedTokens }) => sum + mergedTokens, 0);
  const tokens = Math.min(config.text.maxPositions, textTokens + pads);
  return {
    picture: largest + features,
    prompt: promptMemory(config.text, tokens),
    capture: attentionMemory(config.text, tokens) + latents * latentMemory(config.text, tokens),
  };
}

/** Numbers that a session holds: all but the embedding, whose rows are taken from its file. */
function weightMemory({ config, parameterCount }: PlanContext, format: WeightFormat): number {
  const { vocabularySize, hiddenSize, tiedEmbeddings } = config.text;
  const matrices = matricesOf(config).map((matrix) => ({
    ...matrix,
    numbers: rowsOf(matrix) * matrix.columns,
  }));
  const inMatrices = matrices.reduce((sum, { numbers }) => sum + numbers, 0);
  const table = vocabularySize * hiddenSize;
  // A head that is the embedding counts once among the parameters, and is held as a matrix all the same.
  const stored = inMatrices + (tiedEmbeddings ? 0 : table);
  const others = Math.max(0, parameterCount - stored) * BYTES.F32;
  if (!isScheme(format)) return others + inMatrices * (format === 'float16' ? BYTES.F16 : BYTES.F32);
  return matrices.reduce(
    (sum, matrix) => sum + packedBytes(formatOf(format, matrix.part), rowsOf(matrix), matrix.columns),
    others,
  );
}

function refusalOf(format: WeightFormat, least: number, { provider, free }: PlanContext): string | undefined {
  const { formats, ownMemory, label } = DEVICE_FACTS[provider];
  if (!formats.includes(format))
    return provider === 'cpu' ? 'a GPU only: processors compute in float32' : `not on ${label}`;
  // The runtime does not say what a GPU has; what it lacks is told when it opens.
  if (ownMemory || least <= free) return undefined;
  return `needs ${inBytes(least)} at least`;
}

/** Whether it fits, but not with a run of the usual size. */
function isTight({ total, refused }: FormatNeeds, provider: Provider, free: number): boolean {
  return refused === undefined && !DEVICE_FACTS[provider].ownMemory && total > free;
}

/** Of one format on a device. */
export function fitOf(needs: FormatNeeds, provider: Provider, free: number): Fit {
  if (needs.refused !== undefined) return 'refused';
  if (DEVICE_FACTS[provider].ownMemory) return 'unknown';
  return isTight(needs, provider, free) ? 'small-pictures' : 'fits';
}

/**
 * Chooses the format and says why.
 * @param choice the user's
 * @param where the model lies
 * @throws UserError if it does not fit, with what would
 */
export function planMemory(context: PlanContext, choice: WeightChoice, where: string): MemoryPlan {
  const formats = needsByFormat(context);
  const needs = (format: WeightFormat): FormatNeeds => formats.find((entry) => entry.format === format)!;
  const chosen = choice === 'auto' ? automatic(context, needs) : needs(choice);
  if (chosen.refused !== undefined) throw doesNotFit(chosen, formats, context, where);
  return {
    chosen: chosen.format,
    reason: reasonFor(chosen, needs('float32'), context),
    free: context.free,
    formats,
  };
}

/** float32 of a small model that fits, else 8 bits. Fewer bits change more than a user should get without asking. */
function automatic(
  { parameterCount, provider, free }: PlanContext,
  needs: (format: WeightFormat) => FormatNeeds,
): FormatNeeds {
  const float32 = needs('float32');
  const fits = float32.refused === undefined && !isTight(float32, provider, free);
  const chooseFloat32 = (parameterCount <= SMALL && fits) || !DEVICE_FACTS[provider].formats.includes('8bit');
  return chooseFloat32 ? float32 : needs('8bit');
}

function reasonFor(chosen: FormatNeeds, float32: FormatNeeds, context: PlanContext): string {
  const { parameterCount, provider, free } = context;
  const tight = isTight(chosen, provider, free);
  const size = inBytes(tight ? chosen.least : chosen.total);
  const of = DEVICE_FACTS[provider].ownMemory
    ? ' of GPU and main memory together'
    : ` of ${inBytes(free)} free`;
  const name = `${parametersLabel(parameterCount)} · ${formatLabel(chosen.format)}`;
  const facts = `${name} · ${size}${of}${tight ? ', for small pictures only' : ''}`;
  if (chosen.format === 'float32') return facts;
  const whole = inBytes(float32.total);
  return `${facts}; float32 would ${float32.refused === undefined ? `take ${whole} and be slower` : `need ${whole}`}`;
}

/** "7.6B", "2.35M" */
export function parametersLabel(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)}B` : `${(count / 1e6).toFixed(2)}M`;
}

function doesNotFit(
  asked: FormatNeeds,
  formats: readonly FormatNeeds[],
  { free, provider }: PlanContext,
  where: string,
): UserError {
  const fitting = formats.filter(({ refused }) => refused === undefined);
  const { formats: known, label } = DEVICE_FACTS[provider];
  if (!known.includes(asked.format)) {
    return new UserError({
      problem:
        provider === 'cpu'
          ? 'float16 weights need a GPU'
          : `${label} does not compute with ${asked.format} weights`,
      found: provider === 'cpu' ? 'the CPU, which computes in float32 and would gain nothing by them' : label,
      where,
      remedy: `Choose ${known.includes('8bit') ? '8bit' : 'float32'}, or let the program choose: --weights auto, setting ilvr.weights.`,
    });
  }
  const wouldFit = fitting.map(({ format, least }) => `${format} (${inBytes(least)})`);
  return new UserError({
    problem: 'There is not enough memory for this model',
    expected: `${inBytes(asked.least)} for ${formatLabel(asked.format)} weights and the smallest run`,
    found: `${inBytes(free)} free`,
    where,
    remedy:
      fitting.length === 0
        ? `Not even 4-bit weights fit (${inBytes(Math.min(...formats.map(({ least }) => least)))}): free memory, or use a smaller model.`
        : `What fits: ${wouldFit.join(', ')} (--weights, setting ilvr.weights). Or free memory.`,
  });
}

/**
 * What to throw where memory ran out for a model that was to fit; undefined for any other error.
 * @param free bytes that can be taken now
 */
export function ranOutDespite(
  { chosen, formats, free: before }: MemoryPlan,
  error: unknown,
  free = availableMemory(),
): UserError | undefined {
  if (!saysOutOfMemory(error)) return undefined;
  const { total } = formats.find(({ format }) => format === chosen)!;
  const smaller = formats.filter((needs) => needs.total < total && needs.format !== 'float16');
  return new UserError(
    {
      problem: 'Memory ran out while the model was opened',
      expected: `${inBytes(total)} for ${formatLabel(chosen)} weights and a run, of ${inBytes(before)} free`,
      found: `${inBytes(free)} left on this machine for this program`,
      remedy:
        smaller.length === 0
          ? 'Free memory, or use a smaller model.'
          : `Free memory, or choose ${smaller.map(({ format }) => format).join(' or ')} weights (--weights, setting ilvr.weights).`,
    },
    { cause: error },
  );
}

/** The plan as lines of a table, for logs and terminals. */
export function planTable(
  { formats, free, chosen }: Pick<MemoryPlan, 'formats' | 'free'> & { chosen?: WeightFormat },
  provider: Provider,
): string[] {
  const states: Record<Exclude<Fit, 'refused'>, string> = {
    fits: 'fits',
    'small-pictures': 'fits with small pictures',
    unknown: 'if the GPU has it',
  };
  const stateOf = (needs: FormatNeeds): string => {
    const fit = fitOf(needs, provider, free);
    return fit === 'refused' ? needs.refused! : states[fit];
  };
  const rows = formats.map((needs) => [
    needs.format === chosen ? '→' : ' ',
    needs.format,
    ...[needs.weights, needs.picture, needs.prompt, needs.capture, needs.total].map(inBytes),
    stateOf(needs),
  ]);
  const table = [['', 'format', 'weights', 'picture', 'prompt', 'capture', 'in all', ''], ...rows];
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  const isFigure = (i: number): boolean => i >= 2 && i <= 6;
  return table.map((row) =>
    row
      .map((cell, i) => (isFigure(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}
