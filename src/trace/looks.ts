/**
 * What a query looks at, layer by layer, heads averaged: six numbers that lists, charts and the choice of the opening
 * layer go by, so that none of them needs the attention itself.
 */

import { entropyOf, peakOf, totalOf } from '../heatmap/statistics.ts';
import type { NumericArray } from '../tensor/array.ts';
import type { Choice } from './choice.ts';
import { visualOf, type Sequence } from './columns.ts';
import type { TraceToken } from './schema.ts';

/** Columns of TraceToken.looks. The first four are shares of the attention and add up to 1. */
export const LOOKS = ['pictures', 'prompt', 'latents', 'answer', 'bits', 'peak'] as const;

export type Source = (typeof LOOKS)[0 | 1 | 2 | 3];
export type MassBySource = Record<Source, number>;

/** How one layer of a query looks at the pictures. */
export interface Look {
  mass: MassBySource;
  /** Entropy of the part on the pictures, over all their patches, in bits. */
  bits: number;
  /** The patch with the largest value, counted through all pictures of the prompt. */
  peak: number;
}

/**
 * Computes them from a query's attention.
 * @param mean attention, heads averaged: [layers, keys]
 */
export function looksOf(trace: Sequence, { shape, data }: NumericArray): NumericArray {
  const [layers = 0, keys = 0] = shape;
  const looks = new Float32Array(layers * LOOKS.length);
  for (let layer = 0; layer < layers; layer++) {
    const row = data.subarray(layer * keys, (layer + 1) * keys);
    const { pictures, prompt, latents, answer } = massBySource(trace, row);
    const visual = visualOf(trace, row);
    looks.set(
      [pictures, prompt, latents, answer, entropyOf(visual).bits, peakOf(visual)],
      layer * LOOKS.length,
    );
  }
  return { shape: [layers, LOOKS.length], data: looks };
}

/** One layer's, or the mean of all layers' masses and entropies with the peak of none; undefined where nothing is stored. */
export function lookAt({ looks }: Pick<TraceToken, 'looks'>, layer: number | 'mean'): Look | undefined {
  if (looks === undefined) return undefined;
  const [layers = 0] = looks.shape;
  if (layer !== 'mean') return lookOf(looks.data, Math.min(layer, layers - 1));
  const sums = new Float32Array(LOOKS.length);
  looks.data.forEach((value, i) => (sums[i % LOOKS.length]! += value / layers));
  return { ...lookOf(sums, 0), peak: -1 };
}

function lookOf(data: Float32Array, layer: number): Look {
  const [pictures = 0, prompt = 0, latents = 0, answer = 0, bits = 0, peak = 0] = data.subarray(
    layer * LOOKS.length,
    (layer + 1) * LOOKS.length,
  );
  return { mass: { pictures, prompt, latents, answer }, bits, peak };
}

/** Share of a query's attention by what it looks at, from its row over all keys. */
export function massBySource(trace: Sequence, row: Float32Array): MassBySource {
  const first = trace.prompt.ids.length;
  const pictures = totalOf(visualOf(trace, row));
  const prompt = totalOf(row.subarray(0, first)) - pictures;
  let [latents, answer] = [0, 0];
  for (let key = first; key < row.length; key++) {
    const value = row[key]!;
    if (Number.isNaN(value)) continue;
    if (trace.tokens[key - first]?.kind === 'latent') latents += value;
    else answer += value;
  }
  return { pictures, prompt: Math.max(0, prompt), latents, answer };
}

/** The layer for which shares can be given: where layers or heads are joined by maxima, there are none. */
export function shareLayer(layer: Choice): number | 'mean' {
  return layer === 'max' ? 'mean' : layer;
}
