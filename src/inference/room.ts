/** Whether there is room for a run: what it will take is computed from sizes alone, before any of it is taken. */

import { UserError } from '../base/errors.ts';
import { withBudget } from '../checkpoint/pixels/budget.ts';
import { planPicture } from '../checkpoint/pixels/smartResize.ts';
import type { ModelConfig, ProcessorConfig, TextConfig } from '../model/config.ts';
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
import { DEVICE_FACTS } from '../tensor/device.ts';
import { availableMemory, inBytes } from '../process/memory.ts';

/** A picture of which only the header was read. */
export interface SizedPicture {
  name: string;
  source: Size;
  /** Whether the model sees it, rather than only being compared with it. */
  inPrompt: boolean;
}

/** Where a run takes place, and what besides pictures is read. */
export interface RoomContext {
  config: ModelConfig;
  processor: ProcessorConfig;
  provider: Provider;
  /** Tokens of the prompt that are no picture's. */
  textTokens: number;
  /** Variants that are answered together; 1 if absent. */
  answers?: number;
}

export interface RunNeeds {
  patches: number;
  /** Of the prompt, pictures included. */
  tokens: number;
  /** In bytes; of this process, as a GPU does not say what it has. */
  memory: { pixels: number; tower: number; features: number; prompt: number; attention: number };
}

/** What pictures and prompt will take at the most. One picture at a time is decoded and goes through the tower. */
export function needsOf(pictures: readonly SizedPicture[], context: RoomContext): RunNeeds {
  const { config, processor, provider, textTokens, answers = 1 } = context;
  const inMain = !DEVICE_FACTS[provider].ownMemory;
  const memory = { pixels: 0, tower: 0, features: 0, prompt: 0, attention: 0 };
  let [patches, tokens] = [0, textTokens];
  for (const { source, inPrompt } of pictures) {
    const { resized, grid, mergedTokens } = planPicture(source, processor);
    patches += grid.height * grid.width;
    if (inPrompt) tokens += mergedTokens;
    memory.pixels = Math.max(memory.pixels, pixelMemory(source, resized, processor));
    if (inMain) memory.tower = Math.max(memory.tower, towerMemory(config.vision, grid));
    memory.features += featureMemory(config.vision, grid);
  }
  if (inMain) memory.prompt = promptMemory(config.text, tokens);
  memory.attention = answers * attentionMemory(config.text, tokens);
  return { patches, tokens, memory };
}

/**
 * Refuses what does not fit, before a picture is decoded.
 * @param available bytes
 * @throws UserError with the figures, and the pixel budget with which it would fit
 */
export function checkRoom(
  pictures: readonly SizedPicture[],
  context: RoomContext,
  available = availableMemory(),
): void {
  const needs = needsOf(pictures, context);
  const total = totalOf(needs);
  const { maxPositions } = context.config.text;
  if (needs.tokens < maxPositions && total <= available) return;
  const remedy = remedyFor(pictures, context, available);
  const where = pictures.map(({ name, source }) => `${name}, ${source.width} × ${source.height}`).slice(0, 3);
  if (needs.tokens >= maxPositions) {
    throw new UserError({
      problem: 'The prompt is too long for this model',
      expected: `fewer than ${maxPositions} tokens`,
      found: `${needs.tokens}, of which ${needs.tokens - context.textTokens} are pictures`,
      where: where.join('; '),
      remedy,
    });
  }
  const { pixels, tower, features, prompt, attention } = needs.memory;
  throw new UserError({
    problem: 'There is not enough memory for this run',
    expected: `at most ${inBytes(available)}, which is what this machine has left`,
    found:
      `about ${inBytes(total)} for ${needs.patches} patches and ${needs.tokens} tokens (pixels ${inBytes(pixels)}, ` +
      `vision tower ${inBytes(tower + features)}, prompt ${inBytes(prompt)}, attention ${inBytes(attention)})`,
    where: where.join('; '),
    remedy,
  });
}

/** Steps that take less are not worth asking the system for. */
const SMALL_STEP = 2 ** 20;

/**
 * Ends a run before memory does: a trace grows with every step, by how many nobody knows beforehand.
 * @param length of the sequence so far
 * @param available bytes
 * @throws UserError if a latent more, as it is computed and kept, does not fit
 */
export function checkStep(text: TextConfig, length: number, available?: number): void {
  const step = attentionMemory(text, length) + latentMemory(text, length);
  if (step < SMALL_STEP) return;
  const left = available ?? availableMemory();
  if (step <= left) return;
  throw new UserError({
    problem: 'Memory ran out during the run',
    expected: `${inBytes(step)} for the attention of one more step over ${length} tokens`,
    found: `${inBytes(left)} left on this machine`,
    remedy:
      'What was computed so far is kept. Lower the pixel budget or the number of tokens, or free memory.',
  });
}

function totalOf({ memory }: RunNeeds): number {
  return Object.values(memory).reduce((sum, bytes) => sum + bytes, 0);
}

/** The largest budget that fits, in two digits. */
function remedyFor(pictures: readonly SizedPicture[], context: RoomContext, available: number): string {
  const fits = (maxPixels: number): boolean => {
    const needs = needsOf(pictures, { ...context, processor: withBudget(context.processor, { maxPixels }) });
    return needs.tokens < context.config.text.maxPositions && totalOf(needs) <= available;
  };
  const side = context.processor.patchSize * context.processor.mergeSize;
  let [low, high] = [side * side, context.processor.maxPixels];
  if (!fits(low))
    return 'Use fewer or smaller pictures, a shorter question or a smaller model, or free memory.';
  while (high - low > low / 100) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(low)) - 1);
  const budget = Math.max(side * side, Math.floor(low / unit) * unit);
  return `Set the pixel budget to ${budget} or less (--max-pixels, setting ilvr.maxPixels), use smaller pictures, or free memory.`;
}
