/**
 * One heatmap over its picture, as pixels. Patches are flat cells exactly on token boundaries: what is
 * drawn is what the model has one number for, and nothing is smoothed in between.
 */

import { CONTOUR_SHARE, STRENGTH } from '../heatmap/constants.ts';
import { contourBands, enclosed, layBorders } from '../heatmap/contour.ts';
import { patchBox, type Box } from '../heatmap/grid.ts';
import { HATCH, paintOf, type Law } from '../heatmap/law.ts';
import type { HeatMap } from '../heatmap/map.ts';
import type { Rgb } from '../heatmap/palettes.ts';
import type { Scale } from '../heatmap/scale.ts';
import { pictureAt, type EncodedPicture } from './picture.ts';
import { blank, paste, tint, type Raster } from './raster.ts';

export interface MapStyle {
  /** Largest width of the drawing in pixels; the height follows from the picture, which may make it narrower. */
  width: number;
  law: Law;
  /** Of the law at its far end, 0 to 1. */
  strength: number;
  /** Share of the mass that the contour encloses; 0 for none. */
  contour: number;
}

export const MAP_STYLE: MapStyle = {
  width: 320,
  law: 'spotlight',
  strength: STRENGTH,
  contour: CONTOUR_SHARE,
};

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];

/**
 * Draws a map over its picture.
 * @throws UserError if the picture cannot be shown (see picture.ts)
 */
export function drawMap(
  map: HeatMap,
  scale: Scale,
  picture: EncodedPicture,
  style: Partial<MapStyle> = {},
): Raster {
  const { width, law, strength, contour } = { ...MAP_STYLE, ...style };
  const ground = pictureAt(picture, width);
  const raster = blank(ground.width, ground.height);
  paste(raster, ground, 0, 0);
  map.values.forEach((value, patch) => {
    const box = patchBox(map, patch, raster);
    const { colour, alpha } = paintOf(value, { law, scale, strength });
    tint(raster, box, colour, alpha);
    if (Number.isNaN(value)) hatch(raster, box);
  });
  drawContour(raster, map, enclosed(map, contour));
  return raster;
}

/** Patches without a value are hatched: no colour of the scale would be true. */
function hatch(raster: Raster, { x0, y0, x1, y1 }: Box): void {
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      if ((x + y) % HATCH.period < HATCH.stripe) {
        tint(raster, { x0: x, y0: y, x1: x + 1, y1: y + 1 }, HATCH.colour, 1);
      }
    }
  }
}

function drawContour(raster: Raster, map: HeatMap, patches: ReadonlySet<number>): void {
  const side = Math.min(raster.width / map.columns, raster.height / map.rows);
  for (const { depth, isLine } of contourBands(side)) {
    const colour = isLine ? WHITE : BLACK;
    layBorders(patches, map, raster, depth, (x0, y0, x1, y1) => tint(raster, { x0, y0, x1, y1 }, colour, 1));
  }
}
