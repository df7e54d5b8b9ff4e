/** Draws a picture with a map's patches over it. */

import type { Scale } from '../../trace/maps.ts';
import type { Grid, Region } from '../logic/grid.ts';
import { paint } from '../logic/colour.ts';

export interface MapDrawing extends Grid {
  values: Float32Array;
  scale: Scale;
  opacity: number;
  /** Interpolates between patches. Off: every patch is one flat cell, as it was measured. */
  smooth: boolean;
}

/** Marks on top of the map. */
export interface Marks {
  /** Outlines of all patches. */
  outlines: boolean;
  /** Patches the trainer's rule would keep. */
  selected?: Set<number> | undefined;
  cursor?: number | undefined;
  region?: Region | undefined;
}

/** Draws on the whole canvas; without a map, the picture alone. */
export function drawMap(
  canvas: HTMLCanvasElement,
  picture: ImageBitmap | undefined,
  map: MapDrawing | undefined,
): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  // Under a map the picture is grey, so that every colour is data.
  context.filter = map !== undefined && map.opacity > 0 ? 'grayscale(1)' : 'none';
  if (picture !== undefined) context.drawImage(picture, 0, 0, width, height);
  context.filter = 'none';
  if (map === undefined) return;
  context.imageSmoothingEnabled = map.smooth;
  context.drawImage(cellsOf(map), 0, 0, width, height);
}

/** Outlines, cursor and region; line widths are in CSS pixels, `ratio` device pixels each. */
export function drawMarks(canvas: HTMLCanvasElement, grid: Grid, marks: Marks, ratio: number): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const frame = (region: Region, width: number, dash: boolean): void => {
    const x = (region.left / grid.columns) * canvas.width;
    const y = (region.top / grid.rows) * canvas.height;
    const w = ((region.right + 1) / grid.columns) * canvas.width - x;
    const h = ((region.bottom + 1) / grid.rows) * canvas.height - y;
    const inset = (width * ratio) / 2;
    // Black under white is seen on any picture and any colour of the scale.
    for (const [colour, line] of [
      ['#000', width * 2],
      ['#fff', width],
    ] as const) {
      context.setLineDash(dash && colour === '#fff' ? [6 * ratio, 4 * ratio] : []);
      context.strokeStyle = colour;
      context.lineWidth = line * ratio;
      context.strokeRect(x + inset, y + inset, w - 2 * inset, h - 2 * inset);
    }
    context.setLineDash([]);
  };
  const cell = (patch: number): Region => {
    const row = Math.floor(patch / grid.columns);
    const column = patch % grid.columns;
    return { top: row, left: column, bottom: row, right: column };
  };
  if (marks.outlines) drawGrid(context, canvas, grid, ratio);
  for (const patch of marks.selected ?? []) frame(cell(patch), 1.5, false);
  if (marks.region !== undefined) frame(marks.region, 2, true);
  if (marks.cursor !== undefined) frame(cell(marks.cursor), 2, false);
}

function drawGrid(
  context: CanvasRenderingContext2D,
  { width, height }: HTMLCanvasElement,
  { rows, columns }: Grid,
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

/** One canvas pixel per patch. */
function cellsOf({ values, scale, opacity, rows, columns }: MapDrawing): OffscreenCanvas {
  const cells = new OffscreenCanvas(columns, rows);
  const pixels = paint(values, scale, opacity);
  cells.getContext('2d')!.putImageData(new ImageData(pixels, columns, rows), 0, 0);
  return cells;
}
