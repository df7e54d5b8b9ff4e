/** What charts are made of: boxes with axes, legends, bars of colour. All in the figure's units, on white. */

import { t } from '../base/l10n.ts';
import type { Rgb } from '../heatmap/palettes.ts';
import {
  captionShapes,
  FAINT,
  INK,
  LETTER,
  reachOf,
  TEXT_SIZE,
  widthOf,
  type Anchor,
  type Figure,
  type Shape,
} from './figure.ts';

/** Around all that is drawn. */
export const MARGIN = 16;
/** Width of a chart that has no reason for another. */
export const WIDTH = 720;
/** Captions need room, however small the drawing. */
const LEAST_WIDTH = 420;
const SMALL = 11;

/** Colours that people tell apart with any colour vision, and in print (Okabe and Ito 2008). */
export const COLOURS = {
  blue: [0, 114, 178],
  orange: [230, 159, 0],
  green: [0, 158, 115],
  red: [213, 94, 0],
  grey: [200, 200, 200],
} as const satisfies Record<string, Rgb>;

/** Where something is drawn. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A place by shares of the box: from its left, from its bottom. */
export function placeIn({ x, y, width, height }: Box, across: number, up: number): { x: number; y: number } {
  return { x: x + across * width, y: y + (1 - up) * height };
}

/** A drawing that reaches so far, and as far as its texts, with its caption below. */
export function captioned(
  shapes: readonly Shape[],
  end: { right: number; bottom: number },
  caption: readonly string[],
): Figure {
  const width = Math.max(LEAST_WIDTH, end.right, reachOf(shapes)) + MARGIN;
  const text = captionShapes(caption, { x: MARGIN, y: end.bottom + TEXT_SIZE }, width - 2 * MARGIN);
  return {
    width: Math.ceil(width),
    height: Math.ceil(end.bottom + TEXT_SIZE + text.height + MARGIN),
    shapes: [...shapes, ...text.shapes],
  };
}

/** A short text; small unless told. */
export function words(
  text: string,
  x: number,
  y: number,
  more: { anchor?: Anchor; colour?: Rgb; size?: number; turned?: boolean } = {},
): Shape {
  return { shape: 'text', x, y, text, size: SMALL, colour: INK, ...more };
}

/** A text that fits, its end cut off where it would not. */
export function fitting(text: string, width: number, size = SMALL): string {
  const letters = Math.max(1, Math.floor(width / (size * LETTER)));
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
}

export function filled({ x, y, width, height }: Box, colour: Rgb): Shape {
  return { shape: 'rect', x, y, width, height, colour };
}

export function framed({ x, y, width, height }: Box, colour: Rgb = FAINT): Shape {
  const [right, bottom] = [x + width, y + height];
  const points = [
    { x, y },
    { x: right, y },
    { x: right, y: bottom },
    { x, y: bottom },
  ];
  return { shape: 'line', points, closed: true, colour, width: 1 };
}

/** Labels at even distances along a side, from its lower or left end on, and what they are of. */
export function axis(
  box: Box,
  side: 'left' | 'right' | 'below',
  labels: readonly string[],
  title: string,
): Shape[] {
  const last = Math.max(1, labels.length - 1);
  if (side === 'below') {
    return [
      ...labels.map((label, i) => {
        const { x } = placeIn(box, i / last, 0);
        return words(label, x, box.y + box.height + 15, { anchor: 'middle' });
      }),
      words(title, box.x + box.width / 2, box.y + box.height + 30, { anchor: 'middle', colour: FAINT }),
    ];
  }
  const isLeft = side === 'left';
  const edge = isLeft ? box.x - 6 : box.x + box.width + 6;
  const outside = isLeft ? box.x - 40 : box.x + box.width + 46;
  return [
    ...labels.map((label, i) =>
      words(label, edge, placeIn(box, 0, i / last).y + 4, { anchor: isLeft ? 'end' : 'start' }),
    ),
    words(title, outside, box.y + box.height / 2, { anchor: 'middle', colour: FAINT, turned: true }),
  ];
}

/** Names with their colours in a row. */
export function legend(entries: readonly { name: string; colour: Rgb }[], x: number, y: number): Shape[] {
  let at = x;
  return entries.flatMap(({ name, colour }) => {
    const shapes: Shape[] = [
      filled({ x: at, y: y - 9, width: 10, height: 10 }, colour),
      words(name, at + 15, y),
    ];
    at += 15 + widthOf(name, SMALL) + 18;
    return shapes;
  });
}

const BAR_STEPS = 48;

/** A lying bar of a scale's colours with its ends. @param colourAt from 0 to 1 */
export function colourBar(
  { x, y, width, height }: Box,
  colourAt: (at: number) => Rgb,
  ends: readonly [string, string],
  title: string,
): Shape[] {
  const step = width / BAR_STEPS;
  return [
    words(title, x, y - 5, { colour: FAINT }),
    ...Array.from({ length: BAR_STEPS }, (_, i) =>
      filled({ x: x + i * step, y, width: step + 0.5, height }, colourAt((i + 0.5) / BAR_STEPS)),
    ),
    words(ends[0], x, y + height + 13),
    words(ends[1], x + width, y + height + 13, { anchor: 'end' }),
  ];
}

/** Bars from a common line, each with its name and number; those below 0 go to the left. */
export function bars(
  box: Box,
  rows: readonly { name: string; value: number; text: string; colour: Rgb }[],
): Shape[] {
  const most = Math.max(0, ...rows.map(({ value }) => value));
  const least = Math.min(0, ...rows.map(({ value }) => value));
  const span = most - least || 1;
  const zero = box.x + (-least / span) * box.width;
  return rows.flatMap(({ name, value, text, colour }, i) => {
    const y = box.y + i * ROW;
    const end = zero + ((Number.isFinite(value) ? value : 0) / span) * box.width;
    return [
      words(name, box.x - 8, y + 12, { anchor: 'end' }),
      filled({ x: Math.min(zero, end), y: y + 3, width: Math.abs(end - zero), height: 12 }, colour),
      words(text, box.x + box.width + 8, y + 12),
    ];
  });
}

/** Height of a row of text or of a bar. */
export const ROW = 20;

/** "block 2" below or beside its part. */
export function blockName(block: number): string {
  return t('block {0}', block + 1);
}
