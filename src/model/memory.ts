/**
 * Memory that a run will take, from sizes alone, before any of it is taken. These are the large things; they are
 * measured against runs in test/inference/memory.test.ts. All in bytes.
 *
 * A session keeps what one run of it needed, and takes it in pieces that double, so what lives at the same time is
 * counted with a margin.
 */

import type { ProcessorConfig, TextConfig, VisionConfig } from './config.ts';
import type { PatchGrid } from './positions.ts';
import { stretchesOf } from './vision.ts';
import { patchesPerRun } from './windows.ts';

const FLOAT = 4;

export interface Size {
  width: number;
  height: number;
}

/** Scores that a prefill run may hold, all heads together: 128 MiB. */
const PREFILL_SCORES = 2 ** 25;
/** Fewer do not pay for reading the weights; more are long between two chances to cancel. */
const [FEWEST_POSITIONS, MOST_POSITIONS] = [16, 256];

/** Positions of a prompt that one run reads, given how long the sequence will be. */
export function positionsPerRun({ heads }: TextConfig, length: number): number {
  const bounded = Math.floor(PREFILL_SCORES / (heads * length));
  return Math.min(MOST_POSITIONS, Math.max(FEWEST_POSITIONS, bounded));
}

/** A picture from its file to the tower's input: decoded, resized in two passes, as patches, and for display. */
export function pixelMemory(source: Size, resized: Size, { temporalPatchSize }: ProcessorConfig): number {
  const area = ({ width, height }: Size): number => width * height;
  const between = Math.max(source.width * resized.height, resized.width * source.height);
  return 8 * area(source) + 3 * (between + area(resized)) + 3 * temporalPatchSize * FLOAT * area(resized);
}

/** The vision tower at work on one picture. */
export function towerMemory(config: VisionConfig, grid: PatchGrid): number {
  const { hiddenSize: C, feedForwardSize: F } = config;
  const patches = grid.height * grid.width;
  const rows = patchesPerRun(grid);
  const run = 2 * rows * patches + rows * (12 * C + 4 * F);
  if (rows >= patches) return FLOAT * (run + 2 * patches * C);
  // Hidden states, queries, keys and values of one stretch, keys and values of the next, and their joining.
  return FLOAT * (stretchesOf(config).length * run + 8 * patches * C);
}

/** Features of a picture, as long as the run lasts. */
export function featureMemory({ outputSize, mergeSize }: VisionConfig, grid: PatchGrid): number {
  return (FLOAT * outputSize * grid.height * grid.width) / mergeSize ** 2;
}

/** Reading a prompt of so many tokens: embeddings, states, keys and values (twice, as they are merged), scores. */
export function promptMemory(config: TextConfig, tokens: number): number {
  const { hiddenSize: C, feedForwardSize: F, heads } = config;
  const rows = Math.min(tokens, positionsPerRun(config, tokens));
  const cache = (2 * cacheMemory(config, tokens)) / FLOAT;
  const run = 6 * heads * rows * tokens + rows * tokens + rows * (10 * C + 4 * F);
  return FLOAT * (3 * tokens * C + cache + run);
}

/** Keys and values of so many positions, all layers. */
export function cacheMemory({ layers, kvHeads, headSize }: TextConfig, tokens: number): number {
  return FLOAT * 2 * layers * kvHeads * headSize * tokens;
}

/** A generated token's attention over so many: as the runtime gives it and as it is passed on. */
export function attentionMemory({ layers, heads }: TextConfig, tokens: number): number {
  return 2 * FLOAT * layers * heads * tokens;
}

/** What the trace keeps of a latent, over so many; of a token of text the mean of the heads alone. */
export function latentMemory({ layers, heads }: TextConfig, tokens: number): number {
  return FLOAT * layers * heads * tokens;
}
