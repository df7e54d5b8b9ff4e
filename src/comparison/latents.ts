/** How alike the latents of two runs are, place by place: of blocks that stand for each other. */

import { dot, lengthOf } from '../tensor/array.ts';
import { readArray, type ByteSource } from '../trace/arrays.ts';
import type { Trace } from '../trace/schema.ts';
import { latentsOf } from '../trace/steps.ts';
import { checkNumbers } from '../trace/values.ts';

/** A trace and its container. */
export interface ReadRun {
  trace: Trace;
  container: ByteSource;
}

export interface BlockLikeness {
  /** Indices of the blocks. */
  a: number;
  b: number;
  /** Of latents at the same place, as many as the shorter block has; null (JSON knows no NaN) where one is all zeros. */
  cosines: (number | null)[];
  /** Length of the difference, as a share of A's own length; null where that is 0. */
  distances: (number | null)[];
}

/** @returns undefined where the runs' latents have other sizes, and so no angle between them */
export async function likenessOf(
  a: ReadRun,
  b: ReadRun,
  blocks: readonly { a: number; b: number }[],
): Promise<BlockLikeness[] | undefined> {
  if (a.trace.model.hiddenSize !== b.trace.model.hiddenSize) return undefined;
  const found: BlockLikeness[] = [];
  for (const pair of blocks) {
    const [ours, theirs] = [await vectorsOf(a, pair.a), await vectorsOf(b, pair.b)];
    const both = ours.slice(0, theirs.length).map((vector, i) => [vector, theirs[i]!] as const);
    found.push({
      ...pair,
      cosines: both.map(([one, other]) => cosine(one, other)),
      distances: both.map(([one, other]) => distance(one, other)),
    });
  }
  return found;
}

async function vectorsOf({ trace, container }: ReadRun, block: number): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (const { vector } of latentsOf(trace, block)) {
    const { data } = await readArray(container, vector);
    checkNumbers(trace, 'vector', data);
    vectors.push(data);
  }
  return vectors;
}

/** Null with a vector of zeros, which has no direction. */
function cosine(a: Float32Array, b: Float32Array): number | null {
  const lengths = lengthOf(a) * lengthOf(b);
  return lengths === 0 ? null : dot(a, 0, b, 0, a.length) / lengths;
}

function distance(own: Float32Array, other: Float32Array): number | null {
  const length = lengthOf(own);
  return length === 0 ? null : lengthOf(own.map((x, c) => other[c]! - x)) / length;
}
