/** A run read again with something changed, and how far its words then are from its own. */

import { answerTokens } from '../../analysis/answer.ts';
import { withVectors, type Embeddings } from '../../inference/embeddings.ts';
import type { KvCache } from '../../inference/kvCache.ts';
import type { Following } from '../../inference/latentHeads.ts';
import { eachLogits, type Sequence } from '../../inference/replay.ts';
import { readSelfFed, type SelfFedStates } from '../../inference/selfFed.ts';
import { lengthOf, dot, type NumericArray } from '../../tensor/array.ts';
import { divergences } from './divergence.ts';
import { checkLatent, madeAt, positionOf, type ModelRun } from './modelRun.ts';

/** A run's own states, and its words. */
export class OwnReading {
  readonly of: ModelRun;
  readonly sequence: Sequence;
  /** (T, C) each. */
  readonly hidden: Float32Array;
  private readonly following: Following;
  /** Indices of the new tokens that are words and whose state is known. */
  readonly words: number[];
  /** Those of the words that are the answer. */
  readonly answer: number[];
  private readonly width: number;

  private constructor(of: ModelRun, { hidden, following }: SelfFedStates) {
    this.following = following;
    this.of = of;
    this.sequence = of.sequence;
    this.hidden = hidden.data;
    this.width = hidden.shape[1]!;
    const known = this.sequence.ids.length - this.sequence.promptLength;
    this.words = [...of.run.tokens.keys()].filter((i) => i < known && of.run.tokens[i]!.kind === 'text');
    const answer = new Set(answerTokens(of.run));
    this.answer = this.words.filter((token) => answer.has(token));
  }

  /** @throws UserError if the model does not come to the run's latents */
  static async read(of: ModelRun, pause: () => Promise<void>): Promise<OwnReading> {
    const cache = of.model.newCache();
    try {
      const { sequence } = of;
      const end = sequence.ids.length;
      const states = await readSelfFed(of.model, { ...sequence, made: new Set(), cache, end }, pause);
      const own = new OwnReading(of, states);
      for (const latent of of.run.latents) {
        const at = madeAt(of, latent);
        const state = of.protocol?.source === 'token' ? own.state(at) : own.fedAfter(at);
        if (of.own && positionOf(of, latent) < end) checkLatent(of, latent.token, state);
      }
      return own;
    } finally {
      cache.dispose();
    }
  }

  /** (C) after the final norm at a position. */
  state(position: number): Float32Array {
    return this.rowOf(this.hidden, position);
  }

  /** (C), what a latent at the next position is fed. */
  fedAfter(position: number): Float32Array {
    return this.rowOf(this.following.fed.data, position);
  }

  private rowOf(rows: Float32Array, position: number): Float32Array {
    return rows.subarray(position * this.width, (position + 1) * this.width);
  }

  /** The run up to a position, to be forked and disposed of. */
  async cacheTo(position: number): Promise<KvCache> {
    const cache = this.of.model.newCache();
    try {
      await readSelfFed(this.of.model, { ...this.sequence, made: new Set(), cache, end: position });
      return cache;
    } catch (error) {
      cache.dispose();
      throw error;
    }
  }

  /** The sequence's rows with other vectors at some positions. */
  withRows(
    rows: ReadonlyMap<number, Float32Array>,
    additions?: ReadonlyMap<number, Float32Array>,
  ): Embeddings {
    return withVectors(this.sequence.embeddings, rows, additions);
  }

  /**
   * How far words are from the run's own.
   * @param changed what another reading gave
   */
  async compare(
    words: readonly number[],
    { first, following: { chosen } }: Pick<SelfFedStates, 'first' | 'following'>,
  ): Promise<{ kl: number; answer: number; change: Map<number, number> }> {
    const { model } = this.of;
    const { promptLength, ids } = this.sequence;
    const rows = words.map((word) => promptLength + word - 1);
    const data = new Float32Array(2 * rows.length * this.width);
    rows.forEach((position, i) => {
      data.set(this.rowOf(this.following.chosen.data, position), 2 * i * this.width);
      data.set(this.rowOf(chosen.data, position - first), (2 * i + 1) * this.width);
    });
    let kl = 0;
    const change = new Map<number, number>();
    let own: Float32Array | undefined;
    await eachLogits(model, { shape: [2 * rows.length, this.width], data }, (logits, row) => {
      const word = words[Math.floor(row / 2)]!;
      if (row % 2 === 0) {
        own = logits.slice();
        return;
      }
      const { kl: apart, logA, logB } = divergences(own!, logits, ids[promptLength + word]!);
      kl += apart / words.length;
      change.set(word, logB - logA);
    });
    const answer = this.answer.reduce((sum, word) => sum + (change.get(word) ?? 0), 0);
    return { kl, answer, change };
  }
}

/** Of rows, to the rows of the same index. */
export function likeness(pairs: readonly (readonly [changed: Float32Array, own: Float32Array])[]): {
  cosines: NumericArray;
  distances: NumericArray;
} {
  const list = (value: (a: Float32Array, b: Float32Array) => number): NumericArray => ({
    shape: [pairs.length],
    data: Float32Array.from(pairs, ([a, b]) => value(a, b)),
  });
  return {
    cosines: list(cosineOf),
    distances: list((a, b) => lengthOf(a.map((value, i) => value - b[i]!)) / (lengthOf(b) || 1)),
  };
}

export function cosineOf(a: Float32Array, b: Float32Array): number {
  return dot(a, 0, b, 0, a.length) / (lengthOf(a) * lengthOf(b) || 1);
}
