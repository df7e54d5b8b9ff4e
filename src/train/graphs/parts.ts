/**
 * Cuts a batch of sequences into the parts that graphs read (./decoder.ts), and gives these their inputs. Lengths are
 * rounded up, so that a few graphs serve sequences of any lengths and numbers of blocks; slots without a token come
 * after those with one and are seen by none of them.
 */

import type { TextConfig } from '../../model/config.ts';
import { visible, type LatentReach } from '../../model/latentReach.ts';
import { MASKED, textRotation, type Position } from '../../model/positions.ts';
import { floatTensor, intTensor, type Tensors } from '../../ort/session.ts';
import { slotsOf, type Part } from './decoder.ts';

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

interface Cuttable {
  ids: readonly number[];
  /** Index of the first pad of each block. */
  blocks: readonly number[];
}

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

/** What stands in a sequence. */
export interface SequenceInput {
  ids: readonly number[];
  positions: readonly Position[];
  /** Vectors that stand in place of the id's embedding, by index: pictures, given latents. */
  fed: ReadonlyMap<number, Float32Array>;
  /** Indices where something else stands in place of the id's embedding: see `fedBy` of readPart. */
  replaced?: ReadonlySet<number>;
}

/** All inputs of an opening part; of a later one, those that do not come from the part before. */
export function partFeeds(
  config: TextConfig,
  part: BatchPart,
  inputs: readonly SequenceInput[],
  reach?: LatentReach,
): Tensors {
  const { size, ranges } = part;
  const s = slotsOf(size);
  const N = size.batch * s;
  const half = config.headSize / 2;
  const ids = new BigInt64Array(size.batch * size.text);
  const positions = Array.from({ length: N }, (): Position => [0, 0, 0]);
  inputs.forEach((input, b) => {
    const { start, end } = ranges[b]!;
    for (let i = start; i < end; i++) {
      positions[rowOf(part, b, i)] = input.positions[i]!;
      const place = i - start - size.latents;
      if (place >= 0) ids[b * size.text + place] = BigInt(input.ids[i]!);
    }
  });
  const { cos, sin } = textRotation(config, positions);
  return {
    ids: intTensor(ids, [ids.length, 1]),
    cos: floatTensor(cos, [1, N, half]),
    sin: floatTensor(sin, [1, N, half]),
    mask: floatTensor(maskOf(size, reach), [s, s]),
    ...(size.latents === 0 && vectorFeeds(config.hiddenSize, part, inputs)),
  };
}

function vectorFeeds(width: number, part: BatchPart, inputs: readonly SequenceInput[]): Tensors {
  const rows = part.size.batch * slotsOf(part.size);
  const keep = new Float32Array(rows);
  const fed = new Float32Array(rows * width);
  inputs.forEach((input, b) => {
    const { start, end } = part.ranges[b]!;
    for (let i = start; i < end; i++) {
      const row = rowOf(part, b, i);
      const vector = input.fed.get(i);
      if (vector !== undefined) fed.set(vector, row * width);
      else if (!input.replaced?.has(i)) keep[row] = 1;
    }
  });
  return { keep: floatTensor(keep, [rows, 1]), fed: floatTensor(fed, [rows, width]) };
}

/** (s, s): 0 for what a slot sees of its own part: itself and, as far as a control model's reach lets it, those before. */
function maskOf(part: Part, reach: LatentReach | undefined): Float32Array {
  const s = slotsOf(part);
  const blocks = part.latents === 0 ? [] : [{ first: 0, pads: part.latents, end: part.latents }];
  const mask = new Float32Array(s * s);
  for (let query = 0; query < s; query++) {
    for (let key = 0; key < s; key++) if (!visible(query, key, blocks, reach)) mask[query * s + key] = MASKED;
  }
  return mask;
}
