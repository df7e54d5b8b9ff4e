/** All maps of one latent block side by side, on one scale. */

import { mapOf, scaleOf, type MapSelector } from '../trace/maps.ts';
import type { Trace } from '../trace/schema.ts';
import { latentsOf } from '../trace/steps.ts';
import { drawMap, MAP_STYLE, type MapStyle } from './overlay.ts';
import { blank, paste, type Raster } from './raster.ts';

export interface StripStyle extends MapStyle {
  /** Transparent pixels between two maps. */
  gap: number;
}

/** `width` is that of one map. */
export const STRIP_STYLE: StripStyle = { ...MAP_STYLE, width: 120, gap: 6 };

/**
 * Draws the maps of block `block` (an index into trace.blocks) in the order of their latents.
 * @returns undefined for a block without latents, or where the trace has no such maps
 * @throws UserError if the picture's bytes are damaged
 */
export function renderBlockStrip(
  trace: Trace,
  block: number,
  selector: MapSelector,
  style: Partial<StripStyle> = {},
): Raster | undefined {
  const picture = trace.pictures.find(({ id }) => id === selector.picture);
  const maps = latentsOf(trace, block).map((latent) => mapOf(trace, latent, selector));
  if (picture === undefined || maps.length === 0) return undefined;
  const full = { ...STRIP_STYLE, ...style };
  const scale = full.scale ?? scaleOf(trace, selector);
  const drawn = maps.flatMap((map) => (map === undefined ? [] : [drawMap(map, picture, { ...full, scale })]));
  return drawn.length === maps.length ? besideEachOther(drawn, full.gap) : undefined;
}

function besideEachOther(maps: Raster[], gap: number): Raster {
  const width = maps.reduce((sum, map) => sum + map.width, 0) + gap * (maps.length - 1);
  const strip = blank(width, Math.max(...maps.map(({ height }) => height)));
  let x = 0;
  for (const map of maps) {
    paste(strip, map, x, 0);
    x += map.width + gap;
  }
  return strip;
}
