/**
 * One heatmap over its picture, as pixels. Patches are flat cells exactly on token boundaries: what is
 * drawn is what the model has one number for, and nothing is smoothed in between.
 */

import { CONTOUR_SHARE, STRENGTH } from '../heatmap/constants.ts';
import { contourLine, enclosed, inset, loopsAround, type Loop } from '../heatmap/contour.ts';
import { lineAt, patchBox, type Box, type MapGrid } from '../heatmap/grid.ts';
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
  for (const loop of loopsAround(enclosed(map, contour), map)) drawLoop(raster, map, loop);
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

function drawLoop(raster: Raster, grid: MapGrid, loop: Loop): void {
  const { outer, line, inner } = contourLine(
    Math.min(raster.width / grid.columns, raster.height / grid.rows),
  );
  const border = loop.map(({ x, y }) => ({
    x: lineAt(x, grid.columns, raster.width),
    y: lineAt(y, grid.rows, raster.height),
  }));
  fillBetween(raster, border, inset(border, outer + line + inner), BLACK);
  fillBetween(raster, inset(border, outer), inset(border, outer + line), WHITE);
}

/** Fills the ring between a loop and the same loop further in. */
function fillBetween(raster: Raster, outer: Loop, inner: Loop, colour: Rgb): void {
  outer.forEach((corner, i) => {
    const next = (i + 1) % outer.length;
    const ends = [corner, outer[next]!, inner[i]!, inner[next]!];
    const [xs, ys] = [ends.map(({ x }) => x), ends.map(({ y }) => y)];
    const box = { x0: Math.min(...xs), y0: Math.min(...ys), x1: Math.max(...xs), y1: Math.max(...ys) };
    tint(raster, box, colour, 1);
  });
}
