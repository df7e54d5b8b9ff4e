/**
 * All maps of one latent block side by side, on one scale, each with a bar below it: the share of the
 * latent's attention that lies on the picture.
 */

import type { HeatMap } from '../heatmap/map.ts';
import type { Rgb } from '../heatmap/palettes.ts';
import type { Scale } from '../heatmap/scale.ts';
import { drawMap, type MapStyle } from './overlay.ts';
import type { EncodedPicture } from './picture.ts';
import { blank, paste, tint, type Raster } from './raster.ts';

export interface StripStyle extends MapStyle {
  /** Transparent pixels between two maps. */
  gap: number;
}

/** `width` is that of one map. */
export const STRIP_WIDTH = 120;
/** More would make a picture that nobody can look at; a model's blocks have a few dozen latents at most. */
export const MAX_STRIP = 64;
const GAP = 6;
const BAR = 4;

const BAR_COLOUR: Rgb = [64, 140, 220];
const BAR_GROUND: Rgb = [128, 128, 128];

/**
 * Draws maps of latents in their order, the first 64 of more.
 * @returns undefined without maps
 * @throws UserError if the picture cannot be shown (see picture.ts)
 */
export function drawStrip(
  maps: readonly HeatMap[],
  scale: Scale,
  picture: EncodedPicture,
  { gap = GAP, ...style }: Partial<StripStyle> = {},
): Raster | undefined {
  if (maps.length === 0) return undefined;
  const drawn = maps
    .slice(0, MAX_STRIP)
    .map((map) => withBar(drawMap(map, scale, picture, { width: STRIP_WIDTH, ...style }), map));
  const width = drawn.reduce((sum, map) => sum + map.width, 0) + gap * (drawn.length - 1);
  const strip = blank(width, Math.max(...drawn.map(({ height }) => height)));
  let x = 0;
  for (const map of drawn) {
    paste(strip, map, x, 0);
    x += map.width + gap;
  }
  return strip;
}

/** The map with its bar; as it is where its kind has no mass. */
function withBar(drawn: Raster, { mass }: HeatMap): Raster {
  if (mass === undefined) return drawn;
  const { width, height } = drawn;
  const barred = blank(width, height + 1 + BAR);
  paste(barred, drawn, 0, 0);
  const [y0, y1] = [height + 1, height + 1 + BAR];
  tint(barred, { x0: 0, y0, x1: width, y1 }, BAR_GROUND, 0.35);
  tint(barred, { x0: 0, y0, x1: Math.round(width * mass), y1 }, BAR_COLOUR, 1);
  return barred;
}
