/**
 * A known sequence whose latents, or some of them, are made anew: each is fed the state before it, as in a run, while
 * words are given. What stands between two such latents is read at once.
 */

import type { NumericArray } from '../tensor/array.ts';
import { positionsPerRun } from '../model/memory.ts';
import type { Position } from '../model/positions.ts';
import { sliceOf, type Embeddings } from './embeddings.ts';
import { following, type Following, type Headed } from './latentHeads.ts';
import type { KvCache, Visibility } from './kvCache.ts';
import type { Model } from './model.ts';

export interface SelfFedRequest {
  /** (T, C) of the whole sequence; rows of latents that are made anew do not count. */
  embeddings: Embeddings;
  positions: readonly Position[];
  sees: Visibility;
  /** Of a model whose latents go through a head. */
  headed?: Headed;
  /** Indices of latents that are fed the state before them. */
  made: ReadonlySet<number>;
  /** What was read of it, which goes on from here; the caller disposes of it. */
  cache: KvCache;
  /** (C), what a latent after the last position in the cache is fed; nothing where the cache is empty. */
  before?: Float32Array | undefined;
  /** Positions from here on are not read. */
  end: number;
}

export interface SelfFedStates {
  /** The first position that was read. */
  first: number;
  /** (positions, C) after the final norm. */
  hidden: NumericArray;
  /** (positions, C) each. */
  following: Following;
  /** What was fed at each latent that was made anew, by position. */
  vectors: Map<number, Float32Array>;
}

/** @param pause called between two runs of the decoder; throwing stops */
export async function readSelfFed(
  model: Model,
  { embeddings, positions, sees, headed, made, cache, before, end }: SelfFedRequest,
  pause: () => Promise<void> = async () => undefined,
): Promise<SelfFedStates> {
  const width = embeddings.shape[1]!;
  const first = cache.length;
  const [hidden, fed, chosen] = Array.from({ length: 3 }, () => new Float32Array((end - first) * width)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const vectors = new Map<number, Float32Array>();
  const most = positionsPerRun(model.checkpoint.config.text, end);
  let last = before;
  for (let at = first; at < end;) {
    const isMade = made.has(at);
    const next = isMade ? at + 1 : stretchEnd(at, Math.min(end, at + most), made);
    if (isMade) vectors.set(at, last!);
    const input = isMade ? { shape: [1, width], data: last! } : sliceOf(embeddings, at, next);
    const step = await model.step(cache, input, positions.slice(at, next), { sees });
    const after = await following(model, headed, step.hidden, at);
    hidden.set(step.hidden.data, (at - first) * width);
    fed.set(after.fed.data, (at - first) * width);
    chosen.set(after.chosen.data, (at - first) * width);
    last = after.fed.data.slice(-width);
    at = next;
    await pause();
  }
  const array = (data: Float32Array): NumericArray => ({ shape: [end - first, width], data });
  return {
    first,
    hidden: array(hidden),
    following: { fed: array(fed), chosen: array(chosen) },
    vectors,
  };
}

/** Up to the next latent that is made anew. */
function stretchEnd(start: number, end: number, made: ReadonlySet<number>): number {
  for (let at = start + 1; at < end; at++) if (made.has(at)) return at;
  return end;
}
