/**
 * A run read once more: the prompt, the words and the latents that were fed, as one known sequence. Nothing is
 * decided, so it is read in chunks like a prompt, and whatever the run itself did not keep can be looked at: the
 * state after every layer, attention of any query with all its heads, the probability of any next word.
 */

import type { NumericArray } from '../tensor/array.ts';
import { visible, type LatentBlock } from '../model/latentReach.ts';
import { firstLatent, missingPlaces, type Protocol } from '../model/protocol.ts';
import { positionsPerRun } from '../model/memory.ts';
import type { Position } from '../model/positions.ts';
import { lengthened, sliceOf, type Embeddings } from './embeddings.ts';
import { without, type HiddenKeys } from './hiddenKeys.ts';
import { following, type Following, type Headed } from './latentHeads.ts';
import type { Prompt } from './prompt.ts';
import type { Visibility } from './kvCache.ts';
import { logProbabilityOf } from './logitRules.ts';
import type { Model, Reading } from './model.ts';

/** Elements of attention that a part may give, all layers and heads together: 128 MiB. */
const PART_ATTENTION = 2 ** 25;
/** Rows that go through the head at once: with 150,000 words they are 10 MB. */
const HEAD_ROWS = 16;

/** What places in a sequence depend on. */
export type ContinuedBy = Pick<Protocol, 'source' | 'firstFeed' | 'count' | 'headLogits'>;

/** What followed the prompt. Indices count from its first new token. */
export interface Continuation {
  ids: readonly number[];
  /** The latents, by index. */
  latents: ReadonlyMap<number, Float32Array>;
  blocks: readonly { startToken: number; latents: number; endToken?: number | undefined }[];
  /** That the run thought by; absent: the checkpoint's own. */
  protocol?: ContinuedBy | undefined;
  /** Blocks that were left empty, so that what follows stands where it would have stood with latents. */
  emptied?: (block: number) => boolean;
}

/** A whole sequence, ready to be read. */
export interface Sequence {
  /** Of the prompt. */
  promptLength: number;
  /** Prompt and continuation, pads included. */
  ids: readonly number[];
  /** (ids, C): what is fed at each position. */
  embeddings: Embeddings;
  positions: readonly Position[];
  sees: Visibility;
  /** Of the blocks, as indices in the sequence. */
  blocks: readonly LatentBlock[];
  /** Of a model whose latents go through a head. */
  headed?: Headed;
}

/**
 * Joins prompt and continuation. A latent that is not known ends the sequence before it.
 * @param hidden what the run did not see of its prompt
 */
export async function sequenceOf(
  model: Model,
  prompt: Prompt,
  continuation: Continuation,
  hidden: readonly HiddenKeys[] = [],
): Promise<Sequence> {
  const { latentReach } = model.checkpoint.config;
  const protocol = continuation.protocol ?? model.checkpoint.config.protocol;
  // Without a protocol there are no blocks.
  const first = (startToken: number): number => (protocol ? firstLatent(protocol, startToken) : startToken);
  const latents = protocol?.source === 'token' ? new Map<number, Float32Array>() : continuation.latents;
  const added = continuation.ids.slice(0, knownUntil(continuation, first));
  const promptLength = prompt.ids.length;
  const blocks = continuation.blocks.map(({ startToken, latents: pads, endToken }): LatentBlock => ({
    first: promptLength + first(startToken),
    pads,
    ...(endToken !== undefined && { end: promptLength + endToken }),
  }));
  return {
    promptLength,
    ids: [...prompt.ids, ...added],
    embeddings: await embeddingsOf(model, prompt, added, latents),
    positions: [...prompt.positions, ...placesOf(model, prompt, added.length, continuation)],
    sees: without((query, key) => visible(query, key, blocks, latentReach), hidden),
    blocks,
    ...(protocol?.source === 'head' && {
      headed: {
        positions: new Set([...latents.keys()].map((index) => promptLength + index)),
        logits: protocol.headLogits,
      },
    }),
  };
}

/** Index of the first latent whose vector is not known. */
function knownUntil({ ids, latents, blocks }: Continuation, first: (startToken: number) => number): number {
  for (const { startToken, latents: count } of blocks) {
    const start = first(startToken);
    for (let i = start; i < Math.min(start + count, ids.length); i++) if (!latents.has(i)) return i;
  }
  return ids.length;
}

async function embeddingsOf(
  model: Model,
  prompt: Prompt,
  added: readonly number[],
  latents: Continuation['latents'],
): Promise<Embeddings> {
  const width = prompt.embeddings.shape[1]!;
  const embeddings = lengthened(prompt.embeddings, prompt.ids.length + added.length);
  const { data } = embeddings;
  if (added.length > 0) data.set((await model.embed(added)).data, prompt.ids.length * width);
  for (const [index, vector] of latents) {
    if (index < added.length) data.set(vector, (prompt.ids.length + index) * width);
  }
  return embeddings;
}

/** As in ./generation.ts: an emptied block keeps the places of its latents. */
function placesOf(
  model: Model,
  prompt: Prompt,
  count: number,
  { blocks, emptied = () => false, protocol = model.checkpoint.config.protocol }: Continuation,
): Position[] {
  let skipped = 0;
  return Array.from({ length: count }, (_, i): Position => {
    const ended = blocks.findIndex((block) => protocol && afterLatents(protocol, block) === i);
    if (ended >= 0 && emptied(ended)) skipped += missingPlaces(protocol!, blocks[ended]!);
    const place = prompt.ids.length + i + prompt.delta + skipped;
    return [place, place, place];
  });
}

/** Index of the first token after a block's latents. */
function afterLatents(
  protocol: ContinuedBy,
  { startToken, latents }: Continuation['blocks'][number],
): number {
  return Math.max(startToken + 1, firstLatent(protocol, startToken) + latents);
}

/** What is wanted of a replay, as indices in the sequence; nothing of what is absent. */
export interface Wanted {
  /** Queries, of which every layer and head is given. */
  attention?: ReadonlySet<number>;
  /** Positions, of which the state after every layer is given. */
  states?: ReadonlySet<number>;
  /** Positions from here on are not read. */
  end?: number;
}

/** A stretch of the sequence. */
export interface ReplayedPart {
  /** Index of its first position. */
  first: number;
  /** (S, C) after the final norm. */
  hidden: NumericArray;
  /** What came of these in the run. */
  following: Following;
  /** values (L, H, Q, keys): over all keys up to the part's end; those after a query are 0. */
  attention: { queries: readonly number[]; values: NumericArray };
  /** values (L, P, C) */
  states: { positions: readonly number[]; values: NumericArray };
}

/**
 * Reads a sequence part by part. What a part gives is bounded, however long the sequence is.
 * Who leaves early need not clean up.
 * @param most elements of attention in a part, at the least those of one query
 */
export async function* replay(
  model: Model,
  { embeddings, positions, sees, headed }: Sequence,
  wanted: Wanted,
  most = PART_ATTENTION,
): AsyncGenerator<ReplayedPart, void, undefined> {
  const width = embeddings.shape[1]!;
  const end = Math.min(wanted.end ?? Infinity, positions.length);
  const cache = model.newCache();
  try {
    for (let first = 0; first < end;) {
      const next = partEnd(model, wanted, { first, end, most });
      const [queries, held] = [wanted.attention, wanted.states].map((set) => within(set, first, next));
      const local = (indices: readonly number[]): number[] => indices.map((index) => index - first);
      const reading: Reading = {
        sees,
        ...(queries!.length > 0 && { rows: local(queries!) }),
        ...(held!.length > 0 && { states: local(held!) }),
      };
      const read = sliceOf(embeddings, first, next);
      const step = await model.step(cache, read, positions.slice(first, next), reading);
      await cache.freeze();
      const { layers, heads } = model.checkpoint.config.text;
      const noAttention = { shape: [layers, heads, 0, next], data: new Float32Array() };
      const noStates = { shape: [layers, 0, width], data: new Float32Array() };
      yield {
        first,
        hidden: step.hidden,
        following: await following(model, headed, step.hidden, first),
        attention: { queries: queries!, values: queries!.length > 0 ? step.attention : noAttention },
        states: { positions: held!, values: step.states ?? noStates },
      };
      first = next;
    }
  } finally {
    cache.dispose();
  }
}

/** As many positions as a prompt's chunk has, but no more attention than `most`. */
function partEnd(
  { checkpoint }: Model,
  { attention }: Wanted,
  { first, end, most }: { first: number; end: number; most: number },
): number {
  const { text } = checkpoint.config;
  const last = Math.min(end, first + positionsPerRun(text, end));
  const perQuery = text.layers * text.heads * end;
  let elements = 0;
  for (let i = first; i < last; i++) {
    if (attention?.has(i)) elements += perQuery;
    if (elements > most && i > first) return i;
  }
  return last;
}

function within(set: ReadonlySet<number> | undefined, first: number, end: number): number[] {
  if (set === undefined) return [];
  return [...set].filter((index) => index >= first && index < end).toSorted((a, b) => a - b);
}

/**
 * What the model gives to next words, in nats, before any settings of sampling.
 * @param hidden (N, C), what they are chosen from
 * @param ids the word after each
 */
export async function logProbabilities(
  model: Model,
  hidden: NumericArray,
  ids: readonly number[],
): Promise<Float64Array> {
  const result = new Float64Array(ids.length);
  await eachLogits(model, hidden, (logits, row) => {
    result[row] = logProbabilityOf(logits, ids[row]!);
  });
  return result;
}

/**
 * Logits of many rows, a few at a time.
 * @param hidden (N, C), what words are chosen from
 * @param use gets each row's logits (V), which are of no use after it returns
 */
export async function eachLogits(
  model: Model,
  hidden: NumericArray,
  use: (logits: Float32Array, row: number) => void,
): Promise<void> {
  const [count = 0, width = 0] = hidden.shape;
  for (let first = 0; first < count; first += HEAD_ROWS) {
    const rows = Math.min(HEAD_ROWS, count - first);
    const data = hidden.data.subarray(first * width, (first + rows) * width);
    const logits = await model.logits({ shape: [rows, width], data });
    const size = logits.shape[1]!;
    for (let i = 0; i < rows; i++) use(logits.data.subarray(i * size, (i + 1) * size), first + i);
  }
}
