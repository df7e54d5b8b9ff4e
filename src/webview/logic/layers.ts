/** What speaks for each layer: how much its latents look at the pictures, how widely, and whether always where. */

import { t } from '../../base/l10n.ts';
import type { MapGrid } from '../../heatmap/grid.ts';
import { placeText } from '../../heatmap/grid.ts';
import type { Looks } from '../../heatmap/statistics.ts';
import { share } from './format.ts';

export interface LayerBar {
  /** Of the layer with the most, 0 to 1. */
  height: number;
  /** "Layer 5: visual mass 0.54 …" */
  text: string;
}

/** @param grid of the picture, where there is one only: then the patch can be named */
export function layerBars(layers: readonly Looks[], grid: MapGrid | undefined): LayerBar[] {
  const most = Math.max(...layers.map(({ mass }) => mass), 1e-9);
  return layers.map((looks, i) => ({
    height: looks.mass / most,
    text: t('Layer {0}: {1}', i + 1, textOf(looks, grid)),
  }));
}

function textOf({ mass, entropy, favourite, sink, queries }: Looks, grid: MapGrid | undefined): string {
  if (favourite === undefined) return t('nothing has looked yet');
  const { bits, uniformBits } = entropy;
  const where = grid === undefined ? '' : ` (${placeText(favourite.patch, grid)})`;
  return [
    t('visual mass {0}', share(mass)),
    t('entropy {0} of {1} bits', bits.toFixed(2), uniformBits.toFixed(2)),
    t('largest patch the same{0} for {1} of {2}', where, favourite.queries, queries) +
      (sink === undefined ? '' : `, ${t('a sink')}`),
  ].join(' · ');
}
