/** Maps over their picture as a figure: one latent's, or those of a block in a row, with colour bar and caption. */

import { message, t, translated, type Message } from '../base/l10n.ts';
import { shownQuestion } from '../base/question.ts';
import { contourLine, enclosed, inset, loopsAround } from '../heatmap/contour.ts';
import { lineAt, patchBox } from '../heatmap/grid.ts';
import { paintOf, type Drawing, type Law } from '../heatmap/law.ts';
import type { HeatMap } from '../heatmap/map.ts';
import type { Rgb } from '../heatmap/palettes.ts';
import { barValue } from '../heatmap/scale.ts';
import type { Trace } from '../trace/schema.ts';
import type { NumberTable } from './csv.ts';
import {
  captionShapes,
  FAINT,
  INK,
  reachOf,
  TEXT_SIZE,
  type Figure,
  type Point,
  type Shape,
} from './figure.ts';

const MARGIN = 16;
const GAP = 10;
const BAR = { width: 14, steps: 64 };
/** What the bar takes beside a map at least, its labels included. */
export const BAR_ROOM = 96;
/** Width of a lone map, and of one in a row. */
const SINGLE = 480;
const IN_ROW = 132;
/** Under the bar's colours, what stands for the picture: light enough to be dimmed, dark enough to be covered. */
const GROUND: Rgb = [184, 184, 184];
const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

export interface MapsFigure {
  /** All over one picture. */
  maps: { map: HeatMap; label: string }[];
  picture: { width: number; height: number; png: Uint8Array };
  drawing: Drawing;
  /** Share of the mass that the contour encloses; 0 for none. */
  contour: number;
  /** What is shown, how, by whom: the first is the title. */
  caption: readonly string[];
}

/** One map large, several in a row. */
export function mapsFigure({ maps, picture, drawing, contour, caption }: MapsFigure): Figure {
  const width = maps.length > 1 ? IN_ROW : SINGLE;
  const height = Math.max(1, Math.round((width * picture.height) / picture.width));
  const top = MARGIN + (maps.length > 1 ? TEXT_SIZE + 6 : 0);
  const shapes: Shape[] = maps.flatMap(({ map, label }, i) => {
    const at = { x: MARGIN + i * (width + GAP), y: top };
    const name: Shape = { shape: 'text', x: at.x, y: top - 6, text: label, size: TEXT_SIZE, colour: FAINT };
    const drawn = mapShapes(map, { at, width, height }, { picture, drawing, contour });
    return maps.length > 1 ? [name, ...drawn] : drawn;
  });
  const right = MARGIN + maps.length * (width + GAP);
  const bar = barShapes({ x: right + GAP, y: top }, height, drawing, maps[0]?.map.unit ?? '');
  const total = Math.ceil(Math.max(right + BAR_ROOM, reachOf(bar))) + MARGIN;
  const text = captionShapes(
    [...caption],
    { x: MARGIN, y: top + height + GAP + TEXT_SIZE },
    total - 2 * MARGIN,
  );
  return {
    width: total,
    height: Math.ceil(top + height + GAP + TEXT_SIZE + text.height + MARGIN),
    shapes: [...shapes, ...bar, ...text.shapes],
  };
}

interface Box {
  at: Point;
  width: number;
  height: number;
}

/** A picture with a map over it. */
export function mapShapes(
  map: HeatMap,
  { at, width, height }: Box,
  { picture, drawing, contour }: Pick<MapsFigure, 'picture' | 'drawing' | 'contour'>,
): Shape[] {
  const cells = [...map.values].map((value, patch): Shape => {
    const { x0, y0, x1, y1 } = patchBox(map, patch, { width, height });
    const { colour, alpha } = paintOf(value, drawing);
    return { shape: 'rect', x: at.x + x0, y: at.y + y0, width: x1 - x0, height: y1 - y0, colour, alpha };
  });
  return [
    { shape: 'picture', ...at, width, height, png: picture.png },
    ...cells,
    ...contourShapes(map, { at, width, height }, contour),
  ];
}

/** A white line within a black one, along the patches' borders. */
function contourShapes(map: HeatMap, { at, width, height }: Box, share: number): Shape[] {
  const { outer, line, inner } = contourLine(Math.min(width / map.columns, height / map.rows));
  const stroke = (points: Point[], from: number, to: number, colour: Rgb): Shape => ({
    shape: 'line',
    points: inset(points, (from + to) / 2),
    closed: true,
    colour,
    width: to - from,
  });
  return loopsAround(enclosed(map, share), map).flatMap((loop) => {
    const border = loop.map(({ x, y }) => ({
      x: at.x + lineAt(x, map.columns, width),
      y: at.y + lineAt(y, map.rows, height),
    }));
    return [stroke(border, 0, outer + line + inner, BLACK), stroke(border, outer, outer + line, WHITE)];
  });
}

/** The bar of a map's colours, upright beside it. */
export function barShapes(at: Point, height: number, drawing: Drawing, unit: string): Shape[] {
  const { min, max } = drawing.scale;
  const top = at.y + TEXT_SIZE + 6;
  const length = Math.max(40, height - TEXT_SIZE - 6);
  const step = length / BAR.steps;
  const cells = Array.from({ length: BAR.steps }, (_, i): Shape => {
    const { colour, alpha } = paintOf(barValue((i + 0.5) / BAR.steps, drawing.scale), drawing);
    const mixed = colour.map((channel, c) => Math.round(GROUND[c]! + (channel - GROUND[c]!) * alpha));
    const y = top + length - (i + 1) * step;
    const box = { x: at.x, y, width: BAR.width, height: step + 0.5 };
    return { shape: 'rect', ...box, colour: mixed as unknown as Rgb };
  });
  const label = (text: string, x: number, y: number): Shape => ({
    shape: 'text',
    x,
    y,
    text,
    size: TEXT_SIZE,
    colour: INK,
  });
  const beside = at.x + BAR.width + 5;
  return [
    label(unit, at.x, at.y + TEXT_SIZE - 2),
    ...cells,
    label(shortNumber(max), beside, top + TEXT_SIZE - 2),
    label(shortNumber(min), beside, top + length),
  ];
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(3))).replace('-', '−');
}

/** Who made what is shown, as the last sentence of a caption. */
export function originText({ model, device, question }: Trace): string {
  const name = model.weights === undefined ? model.name : t('{0} in {1}', model.name, model.weights);
  const asked = shownQuestion(question);
  return t('{0} on {1} ({2}), asked “{3}”', name, device.provider, device.name, asked);
}

const DRAWN: Record<Law, Message> = {
  spotlight: message('Drawn as spotlight; scale from {0} to {1}, the 99th percentile of {2}.'),
  heat: message('Drawn as heat; scale from {0} to {1}, the 99th percentile of {2}.'),
};

/** How a map is scaled and drawn, as a sentence. @param owner whose values the scale spans: "the run" */
export function drawnText({ law, scale }: Drawing, owner: string): string {
  return translated(DRAWN[law], shortNumber(scale.min), shortNumber(scale.max), owner);
}

/** Of a block's maps in a row. @param block counted from 0 */
export function rowTitle(block: number, latents: number, picture: string): string {
  return t('Block {0}, {1} latents over {2}', block + 1, latents, picture);
}

/** Values of maps of one picture: a row per patch, a column per map. */
export function mapNumbers(maps: readonly { map: HeatMap; label: string }[]): NumberTable {
  const { values, columns } = maps[0]!.map;
  return {
    heads: ['row', 'column', ...maps.map(({ label }) => label)],
    rows: [...values.keys()].map((patch) => [
      Math.floor(patch / columns) + 1,
      (patch % columns) + 1,
      ...maps.map(({ map }) => map.values[patch]),
    ]),
  };
}
