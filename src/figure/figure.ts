/**
 * A figure to take out of the program: a list of shapes that means the same wherever it is drawn. It holds no dates and
 * no ids, so that the same trace gives the same bytes. No DOM: panel and command line make SVG of it (svg.ts), and the
 * panel draws it on a canvas for PNG.
 */

import type { Rgb } from '../heatmap/palettes.ts';

export interface Figure {
  width: number;
  height: number;
  /** In the order they are drawn, on white. */
  shapes: Shape[];
}

export type Shape =
  | { shape: 'rect'; x: number; y: number; width: number; height: number; colour: Rgb; alpha?: number }
  /** Lines through points; closed ones come back to the first. Dashes are lengths of line and gap. */
  | { shape: 'line'; points: Point[]; closed?: boolean; colour: Rgb; width: number; dashes?: number[] }
  /** What lies within points. */
  | { shape: 'area'; points: Point[]; colour: Rgb }
  | { shape: 'dot'; x: number; y: number; radius: number; colour: Rgb }
  /** A turned one reads upwards. */
  | {
      shape: 'text';
      x: number;
      y: number;
      text: string;
      size: number;
      anchor?: Anchor;
      colour?: Rgb;
      turned?: boolean;
    }
  /** A PNG, stretched to the box. */
  | { shape: 'picture'; x: number; y: number; width: number; height: number; png: Uint8Array };

export type Anchor = 'start' | 'middle' | 'end';

export interface Point {
  x: number;
  y: number;
}

export const INK: Rgb = [32, 32, 32];
export const FAINT: Rgb = [110, 110, 110];
export const TEXT_SIZE = 12;
const LINE_HEIGHT = 16;
/** Mean width of a letter of a sans-serif font, by its size: no text may run out of the figure. */
export const LETTER = 0.56;

/** About how wide a text is. */
export function widthOf(text: string, size: number): number {
  return text.length * size * LETTER;
}

/** How far to the right lying texts reach; those that end or are centred somewhere are placed to fit. */
export function reachOf(shapes: readonly Shape[]): number {
  const ends = shapes.map((shape) =>
    shape.shape === 'text' && shape.turned !== true && (shape.anchor ?? 'start') === 'start'
      ? shape.x + widthOf(shape.text, shape.size)
      : 0,
  );
  return Math.max(0, ...ends);
}

/** Sentences below a drawing, broken to its width. @returns the shapes and the height they take */
export function captionShapes(
  sentences: readonly string[],
  at: Point,
  width: number,
): { shapes: Shape[]; height: number } {
  const letters = Math.max(10, Math.floor(width / (TEXT_SIZE * LETTER)));
  const lines = sentences.flatMap((sentence) => broken(sentence, letters));
  const shapes = lines.map((text, i): Shape => ({
    shape: 'text',
    x: at.x,
    y: at.y + (i + 1) * LINE_HEIGHT - 4,
    text,
    size: TEXT_SIZE,
    colour: i === 0 ? INK : FAINT,
  }));
  return { shapes, height: lines.length * LINE_HEIGHT };
}

/** A sentence in lines of at most so many letters; a longer word is cut. */
function broken(sentence: string, letters: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of sentence.split(/\s+/).flatMap((long) => cut(long, letters))) {
    if (line !== '' && line.length + 1 + word.length > letters) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}

function cut(word: string, letters: number): string[] {
  return word.match(new RegExp(`.{1,${letters}}`, 'gu')) ?? [];
}
