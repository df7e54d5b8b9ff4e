/** Draws a picture with a map over it on a canvas: the colour law of src/heatmap, and the reader's own marks. */

import { contourBands, layBorders } from '../../heatmap/contour.ts';
import { patchBox, placeOf, type Box, type MapGrid } from '../../heatmap/grid.ts';
import { HATCH, paintMap } from '../../heatmap/law.ts';
import { layMap, type Frame, type PixelMap } from '../../heatmap/pixels.ts';
import type { Region } from '../logic/grid.ts';

export interface MapDrawing extends PixelMap {
  /** Interpolates between patches. Off: every patch is one flat cell, as it was measured. */
  smooth: boolean;
  /** Outlines of all patches, below the contour. */
  outlines?: boolean;
}

/** What the reader points at, on top of the map. */
export interface Marks {
  cursor?: number | undefined;
  region?: Region | undefined;
}

/** Of a canvas or a part of it, in its own pixels. */
type Size = Pick<Frame, 'width' | 'height'>;

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
  const context = contextOf(canvas);
  if (context === null) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (picture !== undefined) context.drawImage(scaled(picture, canvas), 0, 0, canvas.width, canvas.height);
  if (map !== undefined) layOn(context, canvas, map, ratio);
}

/** The picture once in each frame: maps that stand in a row share a canvas. */
export function drawPictures(
  canvas: HTMLCanvasElement,
  picture: ImageBitmap | undefined,
  frames: readonly Frame[],
): void {
  const context = contextOf(canvas);
  if (context === null) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (picture === undefined) return;
  for (const frame of frames)
    context.drawImage(scaled(picture, frame), frame.left, 0, frame.width, frame.height);
}

/** The maps of a row, each in its frame, without the picture that shows through them. */
export function drawMaps(
  canvas: HTMLCanvasElement,
  frames: readonly Frame[],
  maps: readonly (MapDrawing | undefined)[],
  ratio: number,
): void {
  const context = contextOf(canvas);
  if (context === null) return;
  const image = new ImageData(canvas.width, canvas.height);
  const pixels = { words: new Uint32Array(image.data.buffer), width: canvas.width };
  const isFlat = (map: MapDrawing | undefined): map is MapDrawing => map?.smooth === false;
  maps.forEach((map, i) => isFlat(map) && layMap(pixels, frames[i]!, map, ratio));
  context.putImageData(image, 0, 0);
  maps.forEach((map, i) => {
    if (map === undefined || isFlat(map)) return;
    context.setTransform(1, 0, 0, 1, frames[i]!.left, 0);
    layOn(context, frames[i]!, map, ratio);
    context.resetTransform();
  });
}

/** None for a canvas that has no size yet, as before the first layout: nothing can be drawn on it, or from it. */
function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
  return canvas.width === 0 || canvas.height === 0 ? null : canvas.getContext('2d');
}

function layOn(context: CanvasRenderingContext2D, size: Size, map: MapDrawing, ratio: number): void {
  context.imageSmoothingEnabled = map.smooth;
  context.drawImage(cellsOf(map), 0, 0, size.width, size.height);
  hatchBlanks(context, map, size);
  if (map.outlines === true) drawGrid(context, size, map, ratio);
  drawContour(context, map, size, ratio);
}

/** Of each picture the size it was drawn in last: to scale it well takes longer than all that is drawn over it. */
const inSize = new WeakMap<ImageBitmap, OffscreenCanvas>();

function scaled(picture: ImageBitmap, { width, height }: Size): OffscreenCanvas {
  const known = inSize.get(picture);
  if (known?.width === width && known.height === height) return known;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, width, height);
  inSize.set(picture, canvas);
  return canvas;
}

/** Cursor and region; line widths are in CSS pixels, `ratio` device pixels each. */
export function drawMarks(canvas: HTMLCanvasElement, grid: MapGrid, marks: Marks, ratio: number): void {
  const context = contextOf(canvas);
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
  if (marks.region !== undefined) frame(marks.region, 2, true);
  if (marks.cursor !== undefined) {
    const { row, column } = placeOf(marks.cursor, grid);
    frame({ top: row, left: column, bottom: row, right: column }, 2, false);
  }
}

function drawGrid(
  context: CanvasRenderingContext2D,
  { width, height }: Size,
  { rows, columns }: MapGrid,
  ratio: number,
): void {
  context.lineWidth = ratio;
  for (const [colour, shift] of [
    ['rgba(0, 0, 0, 0.5)', 0],
    ['rgba(255, 255, 255, 0.5)', ratio],
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

function hatchBlanks(context: CanvasRenderingContext2D, map: PixelMap, size: Size): void {
  const blanks: number[] = [];
  for (let patch = 0; patch < map.values.length; patch++) {
    if (Number.isNaN(map.values[patch]!)) blanks.push(patch);
  }
  if (blanks.length === 0) return;
  context.strokeStyle = `rgb(${HATCH.colour.join(' ')})`;
  context.lineWidth = HATCH.stripe / Math.SQRT2;
  for (const patch of blanks) hatch(context, patchBox(map, patch, size));
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
  map: PixelMap,
  { width, height }: Size,
  ratio: number,
): void {
  const side = Math.min(width / map.columns, height / map.rows) / ratio;
  for (const { depth, isLine } of contourBands(side, ratio)) {
    context.fillStyle = isLine ? '#fff' : '#000';
    context.beginPath();
    layBorders(map.enclosed, map, { width, height }, depth, (x0, y0, x1, y1) =>
      context.rect(x0, y0, x1 - x0, y1 - y0),
    );
    context.fill();
  }
}
