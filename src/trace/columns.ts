/**
 * Which keys a stored row is about. Rows of latents are over all keys before them. Rows of words are over what a
 * reader asks of a word: the patches of the prompt's pictures, in their order, and then the latents before it.
 *
 * A row is that of a token's *own* query: of the position at which it was fed, which predicts the next token.
 */

import type { NumericArray } from '../tensor/array.ts';
import type { Trace } from './schema.ts';

/** The part of a trace that says what stands where in the sequence. */
export interface Sequence {
  prompt: { ids: readonly unknown[] };
  pictures: readonly { id: string; range?: { start: number; count: number } | undefined }[];
  tokens: readonly { kind: string }[];
  latents: readonly { token: number; position: number }[];
}

/** Where each picture of the prompt lies among the patches of all of them. */
export function visualRanges(
  trace: Pick<Sequence, 'pictures'>,
): { picture: string; start: number; count: number; at: number }[] {
  let at = 0;
  return trace.pictures.flatMap(({ id, range }) => {
    if (range === undefined) return [];
    const place = { picture: id, ...range, at };
    at += range.count;
    return [place];
  });
}

/** Patches of all pictures of the prompt. */
export function visualCount(trace: Pick<Sequence, 'pictures'>): number {
  return trace.pictures.reduce((sum, { range }) => sum + (range?.count ?? 0), 0);
}

/** The part of a row over all keys that lies on the pictures of the prompt. */
export function visualOf(trace: Pick<Sequence, 'pictures'>, row: Float32Array): Float32Array {
  const ranges = visualRanges(trace);
  if (ranges.length === 1) return row.subarray(ranges[0]!.start, ranges[0]!.start + ranges[0]!.count);
  const visual = new Float32Array(visualCount(trace));
  for (const { start, count, at } of ranges) visual.set(row.subarray(start, start + count), at);
  return visual;
}

/**
 * Attention over all keys, reduced to the columns of a word: patches, then the latents before it.
 * @param mean [layers, keys]
 * @param token index of the word
 */
export function wordColumns(sequence: Sequence, { shape, data }: NumericArray, token: number): NumericArray {
  const [layers = 0, keys = 0] = shape;
  const patches = visualCount(sequence);
  const latents = latentsBefore(sequence, token);
  const width = patches + latents;
  const columns = new Float32Array(layers * width);
  for (let layer = 0; layer < layers; layer++) {
    const row = data.subarray(layer * keys, (layer + 1) * keys);
    columns.set(visualOf(sequence, row), layer * width);
    for (let i = 0; i < latents; i++) {
      columns[layer * width + patches + i] = row[sequence.latents[i]!.position]!;
    }
  }
  return { shape: [layers, width], data: columns };
}

/** Index into trace.latents of the latent fed at a token; latents are in the order of their tokens. */
export function latentIndexAt(trace: Pick<Sequence, 'latents'>, token: number): number | undefined {
  const index = latentsBefore(trace, token);
  return trace.latents[index]?.token === token ? index : undefined;
}

/** How many latents were fed at tokens before this one. */
export function latentsBefore({ latents }: Pick<Sequence, 'latents'>, token: number): number {
  let [low, high] = [0, latents.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (latents[middle]!.token < token) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether any word has a row; without them words cannot be brushed. */
export function hasTextAttention(trace: Trace): boolean {
  return trace.tokens.some((token) => token.kind === 'text' && token.attention !== undefined);
}
