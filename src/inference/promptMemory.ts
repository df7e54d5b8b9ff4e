/**
 * Reading a prompt, and what is kept of the last one: keys and values up to the end of its pictures, and of all of it.
 * Who asks again about the same pictures pays for the new words alone, who changes a setting for nothing.
 *
 * A product of fewer rows may round differently, so a prompt is always read in the same two stretches, pictures and
 * rest, whether the first was kept or not: what comes out is equal to the bit (test/inference/promptMemory.test.ts).
 * For the same reason nothing is cut at other places, however much two prompts have in common.
 */

import { availableMemory } from '../process/memory.ts';
import { cacheMemory } from '../model/memory.ts';
import { sliceOf } from './embeddings.ts';
import type { KvCache } from './kvCache.ts';
import type { Model } from './model.ts';
import type { Prompt } from './prompt.ts';

/** Kept of a prompt at the most, as a share of the memory that is free. */
const SHARE = 1 / 8;

/** A prompt that was read. */
export interface ReadPrompt {
  /** The caller's, to be disposed of. */
  cache: KvCache;
  /** (C), of the last position. */
  hidden: Float32Array;
  /** Positions that were not read again. */
  reused: number;
}

interface Kept {
  ids: readonly number[];
  /** What stands at the pads, one key for each picture. */
  pictures: readonly string[];
  cache: KvCache;
  hidden: Float32Array;
}

/** What is kept of the last prompt of one model; whoever has the model disposes of it first. */
export class PromptMemory {
  /** Up to the end of the last picture, and all of it. */
  private kept: Kept[] = [];

  /**
   * The longest kept beginning of a prompt, as the caller's own cache.
   * @param ends positions after which it is read in a stretch of its own: a beginning that ends elsewhere is of no use
   */
  find(ids: readonly number[], ends: readonly number[], pictures: readonly string[]): ReadPrompt | undefined {
    const found = this.kept
      .filter(
        (kept) =>
          ends.includes(kept.ids.length) && isBeginning(kept.ids, ids) && isSame(kept.pictures, pictures),
      )
      .toSorted((a, b) => b.ids.length - a.ids.length)[0];
    if (found === undefined) return undefined;
    return { cache: found.cache.fork(), hidden: found.hidden.slice(), reused: found.ids.length };
  }

  /** Keeps what was read, and forgets all that is no beginning of it. */
  keep(ids: readonly number[], pictures: readonly string[], cache: KvCache, hidden: Float32Array): void {
    const stays = (kept: Kept): boolean =>
      kept.ids.length < ids.length && isBeginning(kept.ids, ids) && isSame(kept.pictures, pictures);
    for (const kept of this.kept) if (!stays(kept)) kept.cache.dispose();
    this.kept = [
      ...this.kept.filter(stays),
      { ids: [...ids], pictures: [...pictures], cache: cache.fork(), hidden: hidden.slice() },
    ];
  }

  /** Gives the memory back. */
  forget(): void {
    for (const { cache } of this.kept) cache.dispose();
    this.kept = [];
  }
}

/**
 * Reads a prompt, but for what is kept of it.
 * @param memory absent: nothing is looked up, nothing is kept
 * @param onChunk called now and then with the positions read so far; throwing stops
 */
export async function readPrompt(
  model: Model,
  { ids, embeddings, positions, pictureKeys }: Prompt,
  memory?: PromptMemory,
  onChunk: (read: number) => Promise<void> = async () => undefined,
): Promise<ReadPrompt> {
  const { tokens, text } = model.checkpoint.config;
  const width = text.hiddenSize;
  const split = ids.lastIndexOf(tokens.imagePad) + 1;
  const ends = split > 0 && split < ids.length ? [split, ids.length] : [ids.length];
  const found = pictureKeys && memory?.find(ids, ends, pictureKeys);
  const reused = found?.reused ?? 0;
  const cache = found?.cache ?? model.newCache();
  let hidden = found?.hidden ?? new Float32Array();
  const isKept = 2 * cacheMemory(text, ids.length) <= SHARE * availableMemory();
  if (!isKept) memory?.forget();
  try {
    for (const end of ends) {
      const start = cache.length;
      if (end <= start) continue;
      const rows = sliceOf(embeddings, start, end);
      const read = await model.prefill(cache, rows, positions.slice(start, end), (done) =>
        onChunk(start + done),
      );
      hidden = read.hidden.data.slice(-width);
      if (isKept && pictureKeys) memory?.keep(ids.slice(0, end), pictureKeys, cache, hidden);
    }
    return { cache, hidden, reused };
  } catch (error) {
    cache.dispose();
    throw error;
  }
}

function isBeginning(beginning: readonly number[], whole: readonly number[]): boolean {
  return beginning.length <= whole.length && beginning.every((id, i) => id === whole[i]);
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((key, i) => key === b[i]);
}
