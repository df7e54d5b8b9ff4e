/** A watched block's selections as maps on the picture's tokens, and how they compare. */

import { t } from '../../base/l10n.ts';
import type { HeatMap } from '../../heatmap/map.ts';
import { peakOf } from '../../heatmap/statistics.ts';
import type { WatchedBlock, WatchedSelection } from '../../watch/watched.ts';

/** By token; NaN for tokens that no candidate covers. */
export function tokenValues({ grid, groupSize }: WatchedBlock, byCandidate: readonly number[]): Float32Array {
  return Float32Array.from(
    { length: grid.rows * grid.columns },
    (_, token) => byCandidate[Math.floor(token / groupSize)] ?? NaN,
  );
}

/** Tokens of the candidates that are picked. */
export function selectedTokens({ grid, groupSize }: WatchedBlock, selected: readonly number[]): Set<number> {
  const tokens = grid.rows * grid.columns;
  return new Set(
    selected
      .flatMap((candidate) => Array.from({ length: groupSize }, (_, i) => candidate * groupSize + i))
      .filter((token) => token < tokens),
  );
}

/** A selection over the helper picture, as the law draws it. */
export function selectionMap(block: WatchedBlock, { probabilities, selected }: WatchedSelection): HeatMap {
  const values = tokenValues(block, probabilities);
  return {
    ...block.grid,
    kind: 'selection',
    reading: 'raw',
    values,
    unit: t('selection probability'),
    caption: '',
    peak: peakOf(values),
    selected: selectedTokens(block, selected),
  };
}

/** How many candidates both pick. */
export function shared(a: WatchedSelection, b: WatchedSelection): number {
  const picked = new Set(a.selected);
  return b.selected.filter((candidate) => picked.has(candidate)).length;
}

/** Mean cosine of the latents with their targets; nothing without any. */
export function meanToTarget({ latents }: WatchedBlock): number | undefined {
  const cosines = latents.flatMap(({ toTarget }) => toTarget ?? []);
  if (cosines.length === 0) return undefined;
  return cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length;
}
