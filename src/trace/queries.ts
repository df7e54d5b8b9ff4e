/**
 * Slices of a trace's arrays: what a drawing needs and no more. A reader of the container answers queries
 * (SliceReader); whoever draws keeps the answers at hand (slices.ts), in the same process or beyond a channel.
 */

import type { CancelSignal } from '../base/cancel.ts';
import { unreachable, UserError } from '../base/errors.ts';
import { nextTurn } from '../base/turn.ts';
import { dot, type NumericArray } from '../tensor/array.ts';
import { readArray, readPart, type ByteSource } from './arrays.ts';
import type { Choice } from './choice.ts';
import { latentIndexAt, visualCount, visualOf, visualRanges } from './columns.ts';
import type { ArrayRef, Trace, TraceLatent } from './schema.ts';
import { checkNumbers } from './values.ts';

/** Slices that belong together: one for each member, counted from 0. */
export type Family =
  /** By latent: its attention over the patches of the prompt's pictures, [patches]. */
  | { of: 'visual'; layer: Choice; heads: Choice }
  /** By token: the stored row of its query. Of a latent over all keys; of a word see columns.ts, heads are averaged. */
  | { of: 'row'; layer: Choice; heads: Choice }
  /** By latent: cosines with a picture's features, [patches]. */
  | { of: 'similarity'; picture: string }
  /** By latent: the trainer's selection, [candidates]. */
  | { of: 'selection'; picture: string }
  /** One: what each of the first `count` tokens pays to a latent or patches, heads averaged; NaN where no row is stored. */
  | { of: 'paid'; layer: Choice; to: PaidTo; count: number }
  /** One: cosines between the vectors of the first `count` latents, [count, count]. */
  | { of: 'cosines'; count: number };

export type PaidTo = { latent: number } | { picture: string; patches: readonly number[] };

/** Members `from` to `to` of a family, `to` excluded. */
export interface Query {
  family: Family;
  from: number;
  to: number;
}

/** Answers queries from a trace's container. */
export class SliceReader {
  private readonly trace: Trace;
  private readonly source: ByteSource;

  /** @param trace may grow */
  constructor(trace: Trace, source: ByteSource) {
    this.trace = trace;
    this.source = source;
  }

  /**
   * @returns one array for each member; an empty one where the trace has none
   * @throws UserError if the container lacks them or holds numbers that cannot be; the signal's reason when aborted
   */
  async read({ family, from, to }: Query, signal?: CancelSignal): Promise<Float32Array[]> {
    const members: Float32Array[] = [];
    for (let member = from; member < to; member++) {
      signal?.throwIfAborted();
      members.push(await this.member(family, member, signal));
    }
    return members;
  }

  private async member(
    family: Family,
    member: number,
    signal: CancelSignal | undefined,
  ): Promise<Float32Array> {
    switch (family.of) {
      case 'visual':
        return this.visual(this.latent(member), family);
      case 'row':
        return this.row(member, family);
      case 'similarity':
      case 'selection':
        return this.comparison(this.latent(member), family);
      case 'paid':
        return this.paid(family, signal);
      case 'cosines':
        return this.cosines(family.count, signal);
      default:
        return unreachable(family);
    }
  }

  private async visual(latent: TraceLatent, choice: JoinChoice): Promise<Float32Array> {
    // A slice of its own memory: what is sent on should not carry the rest along.
    return visualOf(this.trace, await this.latentRow(latent, choice)).slice();
  }

  private async row(token: number, choice: JoinChoice): Promise<Float32Array> {
    const latent = this.trace.latents[latentIndexAt(this.trace, token) ?? -1];
    if (latent !== undefined) return this.latentRow(latent, choice);
    const attention = this.trace.tokens[token]?.attention;
    return attention === undefined
      ? new Float32Array()
      : this.joined(attention, { ...choice, heads: 'mean' });
  }

  /** Over all keys. Heads averaged are stored, so that they need not be read one by one. */
  private async latentRow({ attention, mean }: TraceLatent, choice: JoinChoice): Promise<Float32Array> {
    return this.joined(choice.heads === 'mean' ? mean : attention, choice);
  }

  private async joined(ref: ArrayRef, { layer, heads }: JoinChoice): Promise<Float32Array> {
    const [layers = 0, inner = 0, keys] =
      ref.shape.length === 3 ? ref.shape : [ref.shape[0], 1, ref.shape[1]];
    const width = keys ?? 0;
    const [firstHead, headCount] =
      typeof heads === 'number' && inner > 1 ? [clamp(heads, inner), 1] : [0, inner];
    const wanted =
      typeof layer === 'number' ? [clamp(layer, layers)] : Array.from({ length: layers }, (_, i) => i);
    const rows = new Float32Array(wanted.length * headCount * width);
    if (wanted.length === layers && headCount === inner) rows.set((await readArray(this.source, ref)).data);
    else
      for (const [i, at] of wanted.entries()) {
        const part = await readPart(this.source, ref, (at * inner + firstHead) * width, headCount * width);
        rows.set(part, i * headCount * width);
      }
    checkNumbers(this.trace, 'attention', rows);
    const part: NumericArray = { shape: [wanted.length, headCount, width], data: rows };
    return joinHeads(part, typeof layer === 'number' ? 0 : layer, typeof heads === 'number' ? 0 : heads);
  }

  private async comparison(
    latent: TraceLatent,
    { of, picture }: Extract<Family, { picture: string }>,
  ): Promise<Float32Array> {
    const comparison = latent.comparisons.find((entry) => entry.picture === picture);
    if (comparison === undefined) return new Float32Array();
    const ref = of === 'similarity' ? comparison.similarity : comparison.selection.probabilities;
    const { data } = await readArray(this.source, ref);
    if (of === 'similarity') checkNumbers(this.trace, 'cosine', data);
    else checkNumbers(this.trace, 'attention', data);
    return data;
  }

  private async paid(
    { layer, to, count }: Extract<Family, { of: 'paid' }>,
    signal: CancelSignal | undefined,
  ): Promise<Float32Array> {
    const tokens = this.trace.tokens.slice(0, count);
    const columns = this.columnsOf(to);
    const paid = new Float32Array(tokens.length).fill(NaN);
    const [first, last] = [Math.min(...columns), Math.max(...columns)];
    // Reading waits for the disk, so some are under way at a time.
    await inParallel(tokens.length, async (token) => {
      signal?.throwIfAborted();
      const attention = tokens[token]!.attention;
      if (attention === undefined || last >= (attention.shape[1] ?? 0)) return;
      const row = await this.paidRow(attention, layer, first, last);
      paid[token] = columns.reduce((sum, column) => sum + numberOr0(row[column - first]), 0);
    });
    return paid;
  }

  /** Columns `first` to `last` of a word. */
  private async paidRow(ref: ArrayRef, layer: Choice, first: number, last: number): Promise<Float32Array> {
    const [layers = 0, width = 0] = ref.shape;
    if (typeof layer !== 'number') {
      return (await this.joined(ref, { layer, heads: 'mean' })).subarray(first, last + 1);
    }
    const row = await readPart(this.source, ref, clamp(layer, layers) * width + first, last + 1 - first);
    checkNumbers(this.trace, 'attention', row);
    return row;
  }

  private columnsOf(to: PaidTo): number[] {
    if ('latent' in to) return [visualCount(this.trace) + to.latent];
    const place = visualRanges(this.trace).find(({ picture }) => picture === to.picture);
    const columns = to.patches.flatMap((patch) =>
      place !== undefined && patch >= 0 && patch < place.count ? [place.at + patch] : [],
    );
    return columns.length > 0 ? columns : [Infinity];
  }

  private async cosines(count: number, signal: CancelSignal | undefined): Promise<Float32Array> {
    const latents = this.trace.latents.slice(0, count);
    const vectors: Float32Array[] = [];
    for (const { vector } of latents) {
      const { data } = await readArray(this.source, vector);
      checkNumbers(this.trace, 'vector', data);
      vectors.push(data);
    }
    return cosinesBetween(vectors, signal);
  }

  private latent(index: number): TraceLatent {
    const latent = this.trace.latents[index];
    if (latent !== undefined) return latent;
    throw new UserError({
      problem: 'This trace has no such latent',
      expected: `one of ${this.trace.latents.length}`,
      found: String(index + 1),
    });
  }
}

interface JoinChoice {
  layer: Choice;
  heads: Choice;
}

/** Reads that are under way at a time. */
const PARALLEL = 16;
/** Rows of a matrix of cosines before others get their turn: a few milliseconds. */
const ROWS_A_TURN = 16;

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

/** Cosines of all pairs of vectors of one length: [vectors, vectors]; NaN with one of zeros, which has no direction. */
export async function cosinesBetween(
  vectors: readonly Float32Array[],
  signal?: CancelSignal,
): Promise<Float32Array> {
  const count = vectors.length;
  const size = vectors[0]?.length ?? 0;
  const norms = vectors.map((vector) => Math.sqrt(dot(vector, 0, vector, 0, size)));
  const values = new Float32Array(count * count).fill(NaN);
  for (let i = 0; i < count; i++) {
    if (i % ROWS_A_TURN === 0) {
      signal?.throwIfAborted();
      await nextTurn();
    }
    if (norms[i]! > 0) values[i * count + i] = 1;
    for (let j = i + 1; j < count; j++) {
      const cosine = dot(vectors[i]!, 0, vectors[j]!, 0, size) / (norms[i]! * norms[j]!);
      values[i * count + j] = values[j * count + i] = cosine;
    }
  }
  return values;
}

/**
 * Attention of a query, joined over layers and heads.
 * @param attention probabilities [layers, heads, keys], or [layers, keys] with the heads already joined
 * @returns [keys]
 */
export function joinHeads(attention: NumericArray, layer: Choice, heads: Choice): Float32Array {
  const [layers = 0, inner = 0, keys] =
    attention.shape.length === 3 ? attention.shape : [attention.shape[0], 1, attention.shape[1]];
  const width = keys ?? 0;
  const row = (l: number, h: number): Float32Array =>
    attention.data.subarray((l * inner + h) * width, (l * inner + h + 1) * width);
  const headsOf = (l: number): Float32Array =>
    typeof heads === 'number'
      ? row(l, clamp(heads, inner))
      : join(
          range(inner).map((h) => row(l, h)),
          heads,
        );
  return typeof layer === 'number' ? headsOf(clamp(layer, layers)) : join(range(layers).map(headsOf), layer);
}

/** Attention with its heads averaged: [layers, keys]. */
export function meanOfHeads(attention: NumericArray): NumericArray {
  const [layers = 0, , keys = 0] = attention.shape;
  const data = new Float32Array(layers * keys);
  for (let layer = 0; layer < layers; layer++) data.set(joinHeads(attention, layer, 'mean'), layer * keys);
  return { shape: [layers, keys], data };
}

/** Plain loops: with 28 × 28 rows of 1,000 keys this is what takes the time. */
function join(rows: Float32Array[], how: 'mean' | 'max'): Float32Array {
  if (rows.length === 1) return rows[0]!;
  const joined = new Float32Array(rows[0]?.length ?? 0);
  for (const row of rows) {
    for (let i = 0; i < joined.length; i++) {
      joined[i] = how === 'max' ? Math.max(joined[i]!, row[i]!) : joined[i]! + row[i]!;
    }
  }
  return how === 'max' ? joined : joined.map((sum) => sum / rows.length);
}

function clamp(index: number, count: number): number {
  return Math.max(0, Math.min(index, count - 1));
}

function numberOr0(value: number | undefined): number {
  return value === undefined || Number.isNaN(value) ? 0 : value;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
