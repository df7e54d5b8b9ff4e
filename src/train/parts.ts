/**
 * Cuts a batch of sequences into the parts that graphs read (./reading.ts). Lengths are rounded up, so
 * that a few graphs serve sequences of any lengths and numbers of blocks; slots without a token come
 * after those with one and are seen by none of them.
 */

import { slotsOf, type Part } from './reading.ts';
import type { TrainingSequence } from './sequence.ts';

/** A part of every sequence of a batch. */
export interface BatchPart {
  size: Part;
  /** By sequence: its tokens from start to before end, in the part's first slots. None if it ended before. */
  ranges: { start: number; end: number }[];
  /** Slots of the parts before, in each sequence of the batch. */
  offset: number;
}

/** What lengths are multiples of: padding costs little, a graph per length would cost much. */
export interface Rounding {
  /** Of an opening part. */
  opening: number;
  /** Of the text after a block. */
  text: number;
  /** Of the slots that a later part may see. */
  past: number;
}

export const ROUNDED: Rounding = { opening: 16, text: 8, past: 64 };

/** A graph per length, for few samples: padding changes the order of sums, which stage 2 magnifies. */
export const EXACT: Rounding = { opening: 1, text: 1, past: 1 };

/** The next multiple, at least one. */
export function padded(length: number, step: number): number {
  return Math.max(1, Math.ceil(length / step)) * step;
}

type Cuttable = Pick<TrainingSequence, 'ids' | 'blocks'>;

/** Every sequence as one opening part. */
export function wholePart(sequences: readonly Cuttable[], rounding = ROUNDED): BatchPart {
  const ranges = sequences.map(({ ids }) => ({ start: 0, end: ids.length }));
  return {
    size: { batch: ranges.length, past: 0, latents: 0, text: padded(longest(ranges), rounding.opening) },
    ranges,
    offset: 0,
  };
}

/** What comes before the first latent, then for each block its latents and the text up to the next ones. */
export function partsAtBlocks(
  sequences: readonly Cuttable[],
  latentSize: number,
  rounding = ROUNDED,
): BatchPart[] {
  const count = 1 + Math.max(...sequences.map(({ blocks }) => blocks.length));
  const lengths = Array.from({ length: count }, (_, i) => {
    const ranges = sequences.map((sequence) => rangeOf(sequence, i));
    const latents = i === 0 ? 0 : latentSize;
    const text = padded(longest(ranges) - latents, i === 0 ? rounding.opening : rounding.text);
    return { ranges, latents, text };
  });
  const offsets = lengths.map((_, i) =>
    lengths.slice(0, i).reduce((total, { latents, text }) => total + latents + text, 0),
  );
  const past = padded(offsets.at(-1)!, rounding.past);
  return lengths.map(({ ranges, latents, text }, i) => ({
    size: { batch: sequences.length, past: i === 0 ? 0 : past, latents, text },
    ranges,
    offset: offsets[i]!,
  }));
}

function rangeOf({ ids, blocks }: Cuttable, part: number): { start: number; end: number } {
  const start = part === 0 ? 0 : (blocks[part - 1] ?? ids.length);
  return { start, end: blocks[part] ?? ids.length };
}

function longest(ranges: BatchPart['ranges']): number {
  return Math.max(...ranges.map(({ start, end }) => end - start));
}

/** Row of a sequence's token in the part's tensors (B·s, …). */
export function rowOf({ size, ranges }: BatchPart, sequence: number, index: number): number {
  return sequence * slotsOf(size) + index - ranges[sequence]!.start;
}
