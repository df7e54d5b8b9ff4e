/**
 * One heatmap over its picture, as pixels. Patches are flat cells exactly on token boundaries: what is
 * drawn is what the model has one number for, and nothing is smoothed in between.
 */

import { mapOf, scaleOf, type HeatMap, type MapSelector, type Scale } from '../trace/maps.ts';
import type { Trace, TraceLatent, TracePicture } from '../trace/schema.ts';
import { colourOf, fractionOf, type Palette, type Rgb } from './colour.ts';
import { heightFor, pictureAt } from './picture.ts';
import { blank, frame, mute, paste, tint, type Box, type Raster } from './raster.ts';

export interface MapStyle {
  /** Width of the drawing in pixels; the height follows from the picture. */
  width: number;
  /** Of the strongest patches, 0 to 1; weak patches let more of the picture through. */
  opacity: number;
  /** Absent: one scale for all latents of the run. */
  scale?: Scale;
  palette: Palette;
  /** Lines on every token boundary, for high-contrast themes. */
  outline: boolean;
  /** Frames the largest value, or the tokens that the trainer's rule selects. */
  mark: boolean;
}

export const MAP_STYLE: MapStyle = {
  width: 320,
  opacity: 0.75,
  palette: 'viridis',
  outline: false,
  mark: true,
};

/** Share of the opacity that a patch with the lowest value keeps, so that its colour can still be read. */
const FLOOR = 0.6;

/** Share of its own colour that the picture keeps: a colour in the drawing should come from the map. */
const PICTURE_COLOUR = 0.25;

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];
const GREY: Rgb = [128, 128, 128];

/**
 * Draws the latent's map over the selector's picture.
 * @returns undefined where the trace has no such map (see mapOf)
 * @throws UserError if the picture's bytes are damaged
 */
export function renderMap(
  trace: Trace,
  latent: TraceLatent,
  selector: MapSelector,
  style: Partial<MapStyle> = {},
): Raster | undefined {
  const map = mapOf(trace, latent, selector);
  const picture = trace.pictures.find(({ id }) => id === selector.picture);
  if (map === undefined || picture === undefined) return undefined;
  const full = { ...MAP_STYLE, ...style };
  return drawMap(map, picture, { ...full, scale: full.scale ?? scaleOf(trace, selector) });
}

/** Draws a map whose scale is known; for callers that draw several. */
export function drawMap(map: HeatMap, picture: TracePicture, style: MapStyle & { scale: Scale }): Raster {
  const raster = blank(style.width, heightFor(picture, style.width));
  paste(raster, pictureAt(picture, style.width), 0, 0);
  mute(raster, PICTURE_COLOUR);
  map.values.forEach((value, token) => {
    const box = tokenBox(map, token, raster);
    const fraction = fractionOf(value, style.scale);
    if (Number.isNaN(fraction)) hatch(raster, box);
    else
      tint(raster, box, colourOf(fraction, style.palette), style.opacity * (FLOOR + (1 - FLOOR) * fraction));
  });
  if (style.outline) outlineTokens(raster, map);
  if (style.mark) markTokens(raster, map);
  return raster;
}

/** Pixels of a token's cell: boundaries are rounded once, so cells neither overlap nor leave gaps. */
export function tokenBox(
  { rows, columns }: { rows: number; columns: number },
  token: number,
  { width, height }: { width: number; height: number },
): Box {
  const [row, column] = [Math.floor(token / columns), token % columns];
  const x = (i: number): number => Math.round((i * width) / columns);
  const y = (i: number): number => Math.round((i * height) / rows);
  return { x0: x(column), y0: y(row), x1: x(column + 1), y1: y(row + 1) };
}

/** Tokens without a value are hatched: no colour of the scale would be true. */
function hatch(raster: Raster, { x0, y0, x1, y1 }: Box): void {
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      if ((x + y) % 6 < 2) tint(raster, { x0: x, y0: y, x1: x + 1, y1: y + 1 }, GREY, 0.8);
    }
  }
}

function outlineTokens(raster: Raster, map: HeatMap): void {
  for (let token = 0; token < map.rows * map.columns; token++) {
    frame(raster, tokenBox(map, token, raster), 1, WHITE, 0.7);
  }
}

/** A white frame with a dark line inside stands out on any picture and any colour. */
function markTokens(raster: Raster, map: HeatMap): void {
  const thickness = Math.max(1, Math.round(raster.width / 160));
  for (const token of map.selected ?? [map.peak]) {
    const { x0, y0, x1, y1 } = tokenBox(map, token, raster);
    frame(raster, { x0, y0, x1, y1 }, thickness, WHITE);
    const inner = {
      x0: x0 + thickness,
      y0: y0 + thickness,
      x1: x1 - thickness,
      y1: y1 - thickness,
    };
    if (inner.x1 - inner.x0 > 4 && inner.y1 - inner.y0 > 4) frame(raster, inner, 1, BLACK, 0.55);
  }
}
