/** A picture of cells as it is put together: ground, tiles over it, lines between, and its finish. */

import type { Rgb } from './colour.ts';
import type { Ground } from './drawGround.ts';
import { blur, enlarge, light, type Picture } from './picture.ts';
import { compressJpeg } from './jpeg.ts';
import type { Tile } from './sprite.ts';
import type { Style } from './style.ts';

/** Ground covers whole cells, so its rows are copied. */
export function groundPicture(ground: Ground, size: number): Picture {
  const side = ground.tiles[0]!.side;
  const width = size * side;
  const rgb = new Uint8Array(width * width * 3);
  const tiles = ground.tiles.map(({ rgb: values }) => rounded(values));
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const tile = tiles[ground.tileAt(row, column)]!;
      for (let y = 0; y < side; y++) {
        const line = tile.subarray(y * side * 3, (y + 1) * side * 3);
        rgb.set(line, ((row * side + y) * width + column * side) * 3);
      }
    }
  }
  return { width, height: width, rgb };
}

/** A loop: `Uint8Array.from` with a function took a ninth of all the time. */
function rounded(values: Float32Array): Uint8Array {
  const result = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) result[i] = Math.round(values[i]!);
  return result;
}

/** Lays a tile over a cell. */
export function stamp({ width, rgb }: Picture, tile: Tile, row: number, column: number): void {
  const { side } = tile;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const from = y * side + x;
      const opacity = tile.alpha[from]!;
      if (opacity === 0) continue;
      const to = ((row * side + y) * width + column * side + x) * 3;
      for (let c = 0; c < 3; c++) {
        rgb[to + c] = Math.round(rgb[to + c]! * (1 - opacity) + tile.rgb[from * 3 + c]! * opacity);
      }
    }
  }
}

/** Lines lie over everything, half of each on either side of a cell's edge. */
function drawGridLines(canvas: Picture, { gridLines }: Style, cells: number): void {
  if (gridLines === undefined) return;
  const side = canvas.width / cells;
  const thick = Math.max(1, Math.round(side * gridLines.width));
  for (let i = 0; i <= cells; i++) {
    const from = Math.max(0, Math.round(i * side - thick / 2));
    const to = Math.min(canvas.width, Math.max(from + 1, from + thick));
    for (let along = 0; along < canvas.width; along++) {
      for (let across = from; across < to; across++) {
        tint(canvas, (along * canvas.width + across) * 3, gridLines.colour, gridLines.alpha);
        tint(canvas, (across * canvas.width + along) * 3, gridLines.colour, gridLines.alpha);
      }
    }
  }
}

function tint({ rgb }: Picture, at: number, colour: Rgb, alpha: number): void {
  for (let c = 0; c < 3; c++) rgb[at + c] = Math.round(rgb[at + c]! * (1 - alpha) + colour[c]! * alpha);
}

/** Lines between cells, and what happens to the whole drawing on its way. */
export function finished(canvas: Picture, style: Style, cells: number): Picture {
  drawGridLines(canvas, style, cells);
  const side = style.cell * cells;
  const picture = style.pixelArt === undefined ? canvas : enlarge(canvas, side, side);
  if (style.light !== undefined) light(picture, style.light.across, style.light.down);
  if (style.blur !== undefined) blur(picture, style.blur);
  if (style.jpeg !== undefined) compressJpeg(picture, style.jpeg);
  return picture;
}
