/** Cosines between latents: do they differ, or has the model collapsed to one vector? */

import { dot } from '../../tensor/array.ts';
import type { Trace } from '../../trace/schema.ts';

export interface Cosines {
  count: number;
  /** [count, count] */
  values: Float32Array;
  /** Mean over pairs of blocks, [blocks, blocks]; a block with itself leaves out the diagonal. */
  blocks: number[][];
  /** Mean over pairs inside one block, and over pairs of different blocks; NaN without such pairs. */
  within: number;
  between: number;
}

/** Cosines of all pairs of a trace's latent vectors. */
export function cosinesOf(trace: Trace): Cosines {
  const { latents } = trace;
  const count = latents.length;
  const size = trace.model.hiddenSize;
  const norms = latents.map(({ vector }) => Math.sqrt(dot(vector.data, 0, vector.data, 0, size)));
  const values = new Float32Array(count * count);
  const sums = trace.blocks.map(() => trace.blocks.map(() => ({ sum: 0, pairs: 0 })));
  for (let i = 0; i < count; i++) {
    for (let j = i; j < count; j++) {
      const [a, b] = [latents[i]!, latents[j]!];
      const cosine = i === j ? 1 : dot(a.vector.data, 0, b.vector.data, 0, size) / (norms[i]! * norms[j]!);
      values[i * count + j] = values[j * count + i] = cosine;
      const cell = sums[a.block]?.[b.block];
      if (i === j || cell === undefined) continue;
      cell.sum += cosine;
      cell.pairs++;
    }
  }
  const blocks = sums.map((row, i) =>
    row.map((_, j) => {
      const cell = sums[Math.min(i, j)]![Math.max(i, j)]!;
      return cell.sum / cell.pairs;
    }),
  );
  const pool = (inside: boolean): number => {
    const cells = sums.flatMap((row, i) => row.filter((_, j) => (i === j) === inside));
    return cells.reduce((sum, cell) => sum + cell.sum, 0) / cells.reduce((n, cell) => n + cell.pairs, 0);
  };
  return { count, values, blocks, within: pool(true), between: pool(false) };
}
