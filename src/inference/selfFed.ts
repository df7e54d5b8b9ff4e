/**
 * A known sequence whose latents, or some of them, are made anew: each is fed the state before it, as in a run, while
 * words are given. What stands between two such latents is read at once.
 */

import type { NumericArray } from '../tensor/array.ts';
import { positionsPerRun } from '../model/memory.ts';
import type { Position } from '../model/positions.ts';
import type { KvCache, Visibility } from './kvCache.ts';
import type { Model } from './model.ts';

export interface SelfFedRequest {
  /** (T, C) of the whole sequence; rows of latents that are made anew do not count. */
  embeddings: NumericArray;
  positions: readonly Position[];
  sees: Visibility;
  /** Indices of latents that are fed the state before them. */
  made: ReadonlySet<number>;
  /** What was read of it, which goes on from here; the caller disposes of it. */
  cache: KvCache;
  /** (C), the state of the last position in the cache; nothing where the cache is empty. */
  before?: Float32Array | undefined;
  /** Positions from here on are not read. */
  end: number;
}

export interface SelfFedStates {
  /** The first position that was read. */
  first: number;
  /** (positions, C) after the final norm. */
  hidden: NumericArray;
  /** What was fed at each latent that was made anew, by position. */
  vectors: Map<number, Float32Array>;
}

/** @param pause called between two runs of the decoder; throwing stops */
export async function readSelfFed(
  model: Model,
  { embeddings, positions, sees, made, cache, before, end }: SelfFedRequest,
  pause: () => Promise<void> = async () => undefined,
): Promise<SelfFedStates> {
  const width = embeddings.shape[1]!;
  const first = cache.length;
  const hidden = new Float32Array((end - first) * width);
  const vectors = new Map<number, Float32Array>();
  const most = positionsPerRun(model.checkpoint.config.text, end);
  let last = before;
  for (let at = first; at < end;) {
    const isMade = made.has(at);
    const next = isMade ? at + 1 : stretchEnd(at, Math.min(end, at + most), made);
    const data = isMade ? last! : embeddings.data.subarray(at * width, next * width);
    if (isMade) vectors.set(at, last!);
    const input = { shape: [next - at, width], data };
    const step = await model.step(cache, input, positions.slice(at, next), { sees });
    hidden.set(step.hidden.data, (at - first) * width);
    last = step.hidden.data.slice(-width);
    at = next;
    await pause();
  }
  return { first, hidden: { shape: [end - first, width], data: hidden }, vectors };
}

/** Up to the next latent that is made anew. */
function stretchEnd(start: number, end: number, made: ReadonlySet<number>): number {
  for (let at = start + 1; at < end; at++) if (made.has(at)) return at;
  return end;
}
