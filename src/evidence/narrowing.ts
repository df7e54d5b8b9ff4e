/**
 * Does attention narrow at latents? Entropy over the pictures' patches and mass on the pictures, by kind of position
 * and by block. arXiv 2606.01287 compares latent, marker and answer positions; how it computes its measure could not be
 * confirmed, so these definitions are ours.
 */

import { message, type Message } from '../base/l10n.ts';
import { answerTokens } from '../analysis/answer.ts';
import { lookAt } from '../trace/looks.ts';
import type { Trace } from '../trace/schema.ts';

export const POSITIONS = ['words', 'markers', 'latents', 'answer'] as const;
export type PositionKind = (typeof POSITIONS)[number];

/** What they are called, and what they are. */
export const KIND_NAMES: Record<PositionKind, { name: Message; title: Message }> = {
  words: { name: message('words before the answer'), title: message('Text that is not part of the answer') },
  markers: { name: message('markers'), title: message('Start and end tokens of blocks') },
  latents: { name: message('latents'), title: message('Positions inside blocks') },
  answer: {
    name: message('answer'),
    title: message('The tokens in the last box, else the words after the last block'),
  },
};

export interface PositionLooks {
  kind: PositionKind;
  /** Positions whose attention the trace has. */
  count: number;
  /** Mean share of the attention on the pictures. */
  mass: number;
  /** Mean entropy over the patches, in bits. */
  bits: number;
}

export interface BlockNarrowing {
  /** Index of the block. */
  block: number;
  /** Entropy at its first and its last latent, in bits. */
  first: number;
  last: number;
  /** By how much it fell; below 0 where attention widened. */
  fall: number;
}

/** Markers: start and end tokens of blocks. Answer: its boxed tokens, else the words after the last block. Words: all others. */
export function kindsOfPositions(trace: Trace): (PositionKind | undefined)[] {
  const answer = new Set(answerTokens(trace));
  return trace.tokens.map(({ kind }, i) => {
    if (answer.has(i)) return 'answer';
    if (kind === 'latent') return 'latents';
    if (kind === 'latent-start' || kind === 'latent-end') return 'markers';
    return kind === 'text' ? 'words' : undefined;
  });
}

/** Means by kind of position, of a layer or over all; a kind without any position is left out. */
export function positionLooks(trace: Trace, layer: number | 'mean'): PositionLooks[] {
  const sums = new Map<PositionKind, PositionLooks>();
  kindsOfPositions(trace).forEach((kind, i) => {
    const look = lookAt(trace.tokens[i]!, layer);
    if (kind === undefined || look === undefined) return;
    const sum = sums.get(kind) ?? { kind, count: 0, mass: 0, bits: 0 };
    sum.count++;
    sum.mass += look.mass.pictures;
    sum.bits += look.bits;
    sums.set(kind, sum);
  });
  return POSITIONS.flatMap((kind) => {
    const sum = sums.get(kind);
    return sum ? [{ ...sum, mass: sum.mass / sum.count, bits: sum.bits / sum.count }] : [];
  });
}

/** How far entropy falls from the first to the last latent of each block; blocks of one latent say nothing. */
export function narrowing(trace: Trace, layer: number | 'mean'): BlockNarrowing[] {
  return trace.blocks.flatMap(({ index }) => {
    const bits = trace.latents
      .filter(({ block }) => block === index)
      .flatMap(({ token }) => lookAt(trace.tokens[token]!, layer)?.bits ?? []);
    if (bits.length < 2) return [];
    const [first, last] = [bits[0]!, bits.at(-1)!];
    return [{ block: index, first, last, fall: first - last }];
  });
}
