/** What a world's picture is asked: the topmost thing of its cells, and where they are. */

import type { PatchGrid } from '../../model/positions.ts';
import { MAX_WORLD_SIZE } from '../../worlds/stream.ts';
import { CONTENTS, contentsOf, type Layout, type State } from '../../worlds/world.ts';
import { cellLabels, cellProperties, type PerceptionLabels } from './perception.ts';

export const WORLD_PROPERTIES = cellProperties(CONTENTS.length, MAX_WORLD_SIZE);

export function worldLabels(
  layout: Layout,
  state: State,
  grid: PatchGrid,
  mergeSize: number,
): PerceptionLabels {
  const { size } = layout;
  const contents = contentsOf(layout, state);
  return cellLabels(
    { rows: size, columns: size },
    (row, column) => CONTENTS.indexOf(contents[row * size + column]!),
    grid,
    mergeSize,
  );
}
