/** What is drawn for a hover: a trace's picture, alone or with maps over it. It can be sent to another thread. */

import type { HeatMap } from '../../heatmap/map.ts';
import type { Scale } from '../../heatmap/scale.ts';
import { drawMap } from '../../render/overlay.ts';
import { pictureAt, type EncodedPicture } from '../../render/picture.ts';
import { HOVER_BYTES, pngUnder } from '../../render/png.ts';
import type { Raster } from '../../render/raster.ts';
import { drawStrip } from '../../render/strip.ts';

/** Without maps, the picture alone; a strip puts maps side by side. Widths are of one map, and the largest tried. */
export interface Drawing {
  picture: EncodedPicture;
  width: number;
  over?: { kind: 'map'; map: HeatMap; scale: Scale } | { kind: 'strip'; maps: HeatMap[]; scale: Scale };
}

/** A PNG that a hover can hold. */
export interface Drawn {
  png: Uint8Array;
  width: number;
  height: number;
}

/**
 * Draws at the widest size whose PNG a hover can hold.
 * @returns undefined if there is nothing to draw, or nothing that is small enough
 * @throws UserError if the picture cannot be shown
 */
export function drawForHover(drawing: Drawing): Drawn | undefined {
  let drawn: Raster | undefined;
  const png = pngUnder(HOVER_BYTES, drawing.width, (width) => (drawn = rasterOf(drawing, width)));
  if (png === undefined || drawn === undefined) return undefined;
  return { png, width: drawn.width, height: drawn.height };
}

function rasterOf({ picture, over }: Drawing, width: number): Raster | undefined {
  if (over === undefined) return pictureAt(picture, width);
  if (over.kind === 'map') return drawMap(over.map, over.scale, picture, { width });
  return drawStrip(over.maps, over.scale, picture, { width });
}
