/**
 * A map as pixels to lay over its picture: flat cells exactly on token boundaries, hatching where there is no value, the
 * contour along patch borders. It is what a canvas would draw, in a fraction of the time where maps are small and many.
 */

import { contourBands, layBorders } from './contour.ts';
import { lineAt, patchBox, type MapGrid } from './grid.ts';
import { HATCH, paintWords, wordOfColour, type Drawing } from './law.ts';

/** Pixels as words of RGBA (law.ts), row by row. */
export interface Pixels {
  words: Uint32Array;
  width: number;
}

export interface PixelMap extends Drawing, MapGrid {
  values: Float32Array;
  /** Patches that the contour goes around. */
  enclosed: ReadonlySet<number>;
}

/** The part of the pixels that a map takes, from their upper edge on. */
export interface Frame {
  left: number;
  width: number;
  height: number;
}

const LINE = wordOfColour([255, 255, 255]);
const EDGE = wordOfColour([0, 0, 0]);
const STRIPE = wordOfColour(HATCH.colour);

/** @param ratio pixels of one CSS pixel, which the contour's thickness is given in */
export function layMap({ words, width }: Pixels, frame: Frame, map: PixelMap, ratio: number): void {
  layCells({ words, width }, frame, map);
  const side = Math.min(frame.width / map.columns, frame.height / map.rows) / ratio;
  for (const { depth, isLine } of contourBands(side, ratio)) {
    const word = isLine ? LINE : EDGE;
    layBorders(map.enclosed, map, frame, depth, (x0, y0, x1, y1) => {
      for (let y = y0; y < y1; y++)
        words.fill(word, y * width + frame.left + x0, y * width + frame.left + x1);
    });
  }
}

function layCells({ words, width }: Pixels, frame: Frame, map: PixelMap): void {
  const { rows, columns, values } = map;
  const paints = paintWords(values, map);
  const lines = Array.from({ length: columns + 1 }, (_, i) => frame.left + lineAt(i, columns, frame.width));
  for (let row = 0; row < rows; row++) {
    const [top, bottom] = [lineAt(row, rows, frame.height), lineAt(row + 1, rows, frame.height)];
    if (top === bottom) continue;
    const start = top * width;
    for (let column = 0; column < columns; column++) {
      const word = paints[row * columns + column]!;
      const end = start + lines[column + 1]!;
      for (let at = start + lines[column]!; at < end; at++) words[at] = word;
    }
    // All lines of a row of patches are alike.
    for (let y = top + 1; y < bottom; y++) {
      words.copyWithin(y * width + frame.left, start + frame.left, start + frame.left + frame.width);
    }
  }
  for (let patch = 0; patch < values.length; patch++) {
    if (Number.isNaN(values[patch]!)) hatch({ words, width }, frame, map, patch);
  }
}

function hatch({ words, width }: Pixels, frame: Frame, grid: MapGrid, patch: number): void {
  const { x0, y0, x1, y1 } = patchBox(grid, patch, frame);
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      if ((x + y) % HATCH.period < HATCH.stripe) words[y * width + frame.left + x] = STRIPE;
    }
  }
}
