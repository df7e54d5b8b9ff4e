/** Cosines between latents: do they differ, or has the model collapsed to one vector? */

import { t } from '../base/l10n.ts';
import { hasCollapsed } from '../analysis/collapse.ts';
import type { Family } from '../trace/queries.ts';
import type { Trace } from '../trace/schema.ts';

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

/**
 * What they say of blocks.
 * @param values cosines of the first latents with each other: [count, count]
 */
export function cosinesOf({ latents, blocks: { length } }: Trace, values: Float32Array): Cosines {
  const count = Math.round(Math.sqrt(values.length));
  const sums = Array.from({ length }, () => Array.from({ length }, () => ({ sum: 0, pairs: 0 })));
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) {
      const cell = sums[latents[i]!.block]?.[latents[j]!.block];
      const value = values[i * count + j]!;
      // A vector of zeros has no direction.
      if (cell === undefined || Number.isNaN(value)) continue;
      cell.sum += value;
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

/** Indices of the blocks whose latents are nearly one vector. */
export function collapsedBlocks({ blocks }: Cosines): number[] {
  return blocks.flatMap((row, i) => (hasCollapsed(row[i]) ? [i] : []));
}

/** The same as a sentence. */
export function collapseText(cosines: Cosines): string {
  const collapsed = collapsedBlocks(cosines).map((block) => block + 1);
  const [first, ...others] = collapsed;
  if (first === undefined) return t('No block has collapsed: the latents of each differ.');
  if (collapsed.length === cosines.blocks.length && others.length > 0)
    return t('All blocks have collapsed: the latents of each are nearly one vector.');
  if (others.length === 0) return t('Block {0} has collapsed: its latents are nearly one vector.', first);
  return t(
    'Blocks {0} and {1} have collapsed: the latents of each are nearly one vector.',
    collapsed.slice(0, -1).join(', '),
    others.at(-1)!,
  );
}

/** What they are made of. */
export function cosinesFamily(trace: Trace): Family {
  return { of: 'cosines', count: trace.latents.length };
}
