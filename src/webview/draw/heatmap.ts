/** Draws a picture with a map over it on a canvas: the colour law of src/heatmap, and the reader's own marks. */

import { contourLine, inset, loopsAround, type Loop } from '../../heatmap/contour.ts';
import { patchBox, placeOf, type Box, type MapGrid } from '../../heatmap/grid.ts';
import { HATCH, paintMap, type Drawing } from '../../heatmap/law.ts';
import type { Region } from '../logic/grid.ts';

export interface MapDrawing extends Drawing, MapGrid {
  values: Float32Array;
  /** Patches that the contour goes around. */
  enclosed: ReadonlySet<number>;
  /** Interpolates between patches. Off: every patch is one flat cell, as it was measured. */
  smooth: boolean;
}

/** What the reader points at, on top of the map. */
export interface Marks {
  /** Outlines of all patches. */
  outlines: boolean;
  cursor?: number | undefined;
  region?: Region | undefined;
}

/** A part of a canvas, in its own pixels. */
export interface Frame {
  left: number;
  width: number;
  height: number;
}

/**
 * Draws on the whole canvas; without a map, the picture alone.
 * @param ratio device pixels of one CSS pixel
 */
export function drawMap(
  canvas: HTMLCanvasElement,
  picture: ImageBitmap | undefined,
  map: MapDrawing | undefined,
  ratio: number,
): void {
  drawMapIn(canvas, { left: 0, width: canvas.width, height: canvas.height }, picture, map, ratio);
}

/** The same in one part of a canvas, from its upper edge on: maps that stand in a row share a canvas. */
export function drawMapIn(
  canvas: HTMLCanvasElement,
  frame: Frame,
  picture: ImageBitmap | undefined,
  map: MapDrawing | undefined,
  ratio: number,
): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const { left, width, height } = frame;
  context.setTransform(1, 0, 0, 1, left, 0);
  context.clearRect(0, 0, width, height);
  if (picture !== undefined) context.drawImage(scaled(picture, frame), 0, 0, width, height);
  if (map !== undefined) {
    context.imageSmoothingEnabled = map.smooth;
    context.drawImage(cellsOf(map), 0, 0, width, height);
    hatchBlanks(context, map, frame);
    drawContour(context, map, frame, ratio);
  }
  context.resetTransform();
}

/** Of each picture the size it was drawn in last: to scale it well takes longer than all that is drawn over it. */
const inSize = new WeakMap<ImageBitmap, OffscreenCanvas>();

function scaled(picture: ImageBitmap, { width, height }: Frame): OffscreenCanvas {
  const known = inSize.get(picture);
  if (known?.width === width && known.height === height) return known;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, width, height);
  inSize.set(picture, canvas);
  return canvas;
}

/** Outlines, cursor and region; line widths are in CSS pixels, `ratio` device pixels each. */
export function drawMarks(canvas: HTMLCanvasElement, grid: MapGrid, marks: Marks, ratio: number): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const frame = (region: Region, width: number, dash: boolean): void => {
    const x = (region.left / grid.columns) * canvas.width;
    const y = (region.top / grid.rows) * canvas.height;
    const w = ((region.right + 1) / grid.columns) * canvas.width - x;
    const h = ((region.bottom + 1) / grid.rows) * canvas.height - y;
    const by = (width * ratio) / 2;
    // Black under white is seen on any picture and any colour of the scale.
    for (const [colour, line] of [
      ['#000', width * 2],
      ['#fff', width],
    ] as const) {
      context.setLineDash(dash && colour === '#fff' ? [6 * ratio, 4 * ratio] : []);
      context.strokeStyle = colour;
      context.lineWidth = line * ratio;
      context.strokeRect(x + by, y + by, w - 2 * by, h - 2 * by);
    }
    context.setLineDash([]);
  };
  if (marks.outlines) drawGrid(context, canvas, grid, ratio);
  if (marks.region !== undefined) frame(marks.region, 2, true);
  if (marks.cursor !== undefined) {
    const { row, column } = placeOf(marks.cursor, grid);
    frame({ top: row, left: column, bottom: row, right: column }, 2, false);
  }
}

function drawGrid(
  context: CanvasRenderingContext2D,
  { width, height }: HTMLCanvasElement,
  { rows, columns }: MapGrid,
  ratio: number,
): void {
  context.lineWidth = ratio;
  for (const [colour, shift] of [
    ['rgba(0, 0, 0, 0.8)', 0],
    ['rgba(255, 255, 255, 0.8)', ratio],
  ] as const) {
    context.strokeStyle = colour;
    context.beginPath();
    for (let column = 1; column < columns; column++) {
      const x = Math.round((column / columns) * width) + shift - ratio / 2;
      context.moveTo(x, 0);
      context.lineTo(x, height);
    }
    for (let row = 1; row < rows; row++) {
      const y = Math.round((row / rows) * height) + shift - ratio / 2;
      context.moveTo(0, y);
      context.lineTo(width, y);
    }
    context.stroke();
  }
}

/** Drawn on again and again: to make one for each of dozens of small maps takes longer than to draw them. */
let cells: OffscreenCanvas | undefined;

/** One canvas pixel per patch; until the next map is drawn. */
function cellsOf({ values, rows, columns, ...drawing }: MapDrawing): OffscreenCanvas {
  cells ??= new OffscreenCanvas(columns, rows);
  if (cells.width !== columns) cells.width = columns;
  if (cells.height !== rows) cells.height = rows;
  const pixels = paintMap(values, drawing);
  // Kept in memory: what is written every time is of no use on a graphics card.
  const context = cells.getContext('2d', { willReadFrequently: true })!;
  context.putImageData(new ImageData(pixels, columns, rows), 0, 0);
  return cells;
}

function hatchBlanks(context: CanvasRenderingContext2D, map: MapDrawing, frame: Frame): void {
  const blanks: number[] = [];
  for (let patch = 0; patch < map.values.length; patch++) {
    if (Number.isNaN(map.values[patch]!)) blanks.push(patch);
  }
  if (blanks.length === 0) return;
  context.strokeStyle = `rgb(${HATCH.colour.join(' ')})`;
  context.lineWidth = HATCH.stripe / Math.SQRT2;
  for (const patch of blanks) hatch(context, patchBox(map, patch, frame));
}

function hatch(context: CanvasRenderingContext2D, { x0, y0, x1, y1 }: Box): void {
  context.save();
  context.beginPath();
  context.rect(x0, y0, x1 - x0, y1 - y0);
  context.clip();
  context.beginPath();
  const first = Math.ceil((x0 + y0) / HATCH.period) * HATCH.period;
  for (let sum = first; sum < x1 + y1; sum += HATCH.period) {
    context.moveTo(sum - y0, y0);
    context.lineTo(sum - y1, y1);
  }
  context.stroke();
  context.restore();
}

function drawContour(
  context: CanvasRenderingContext2D,
  map: MapDrawing,
  { width, height }: Frame,
  ratio: number,
): void {
  const patch = { x: width / map.columns, y: height / map.rows };
  const { outer, line, inner } = contourLine(Math.min(patch.x, patch.y) / ratio);
  const loops = loopsAround(map.enclosed, map).map((loop) =>
    loop.map(({ x, y }) => ({ x: Math.round(x * patch.x), y: Math.round(y * patch.y) })),
  );
  const stroke = (from: number, to: number, colour: string): void => {
    const middle = ((from + to) / 2) * ratio;
    context.lineWidth = (to - from) * ratio;
    context.strokeStyle = colour;
    context.beginPath();
    for (const loop of loops) trace(context, inset(loop, middle));
    context.stroke();
  };
  stroke(0, outer + line + inner, '#000');
  stroke(outer, outer + line, '#fff');
}

function trace(context: CanvasRenderingContext2D, loop: Loop): void {
  loop.forEach(({ x, y }, i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.closePath();
}
