/**
 * The charts of docs/latents.md, drawn of its own tables, so that text and picture cannot differ.
 *
 *   npx tsx scripts/latentsFigures.ts
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { wilsonInterval } from '../src/dataset/statistics.ts';
import type { Figure, Point, Shape } from '../src/figure/figure.ts';
import {
  axis,
  captioned,
  COLOURS,
  framed,
  legend,
  MARGIN,
  placeIn,
  WIDTH,
  type Box,
} from '../src/figure/plot.ts';
import { svgOf } from '../src/figure/svg.ts';

const docs = path.resolve(import.meta.dirname, '../docs');
const page = readFileSync(path.join(docs, 'latents.md'), 'utf8');

const BOX: Box = { x: MARGIN + 52, y: MARGIN + 26, width: WIDTH - 104, height: 220 };
const END = { right: WIDTH, bottom: BOX.y + BOX.height + 36 };

/** A share of answers after so many moves, or in a block. */
interface Measured {
  at: number;
  right: number;
  of: number;
}

interface Series {
  name: string;
  colour: (typeof COLOURS)[keyof typeof COLOURS];
  points: Measured[];
}

/** The rows of the table that has this column, as cells by column. */
function tableWith(name: string): Map<string, string>[] {
  const rows = page.split('\n').map((line) =>
    line.startsWith('|')
      ? line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim())
      : [],
  );
  const first = rows.findIndex((cells) => cells.includes(name));
  if (first < 0) throw new Error(`no table of the page has the column "${name}"`);
  const names = rows[first]!;
  const end = rows.findIndex((cells, i) => i > first && cells.length === 0);
  return rows.slice(first + 2, end).map((cells) => new Map(names.map((each, i) => [each, cells[i]!])));
}

/** "28 of 29 (…)", by the number in the first column. */
function column(name: string): Measured[] {
  return tableWith(name).map((cells) => {
    const [, right, of] = /^(\d+) of (\d+)/.exec(cells.get(name)!)!;
    return { at: Number([...cells.values()][0]), right: Number(right), of: Number(of) };
  });
}

/** A row whose columns are numbers of moves, of so many answers each. */
function row(name: string, of: number): Measured[] {
  const cells = tableWith('trained for').find((each) => each.get('trained for') === name);
  if (cells === undefined) throw new Error(`no row "${name}"`);
  return [...cells.values()].slice(1).map((right, i) => ({ at: i + 1, right: Number(right), of }));
}

/** Shares with their 95 % intervals, over 1, 2, 3 … */
function shareFigure(series: readonly Series[], below: string, caption: readonly string[]): Figure {
  const last = Math.max(...series.flatMap(({ points }) => points.map(({ at }) => at)));
  const place = (at: number, share: number): Point => placeIn(BOX, (at - 0.5) / last, share);
  const drawn = series.flatMap(({ colour, points }, n): Shape[] => {
    // Beside each other where they lie on one another.
    const moved = ({ x, y }: Point): Point => ({ x: x + 4 * (n - (series.length - 1) / 2), y });
    const centres = points.map(({ at, right, of }) => moved(place(at, right / of)));
    return [
      { shape: 'line', points: centres, colour, width: 1.75 },
      ...points.map(({ at, right, of }): Shape => {
        const { low, high } = wilsonInterval(right, of);
        return {
          shape: 'line',
          points: [low, high].map((share) => moved(place(at, share))),
          colour,
          width: 1,
        };
      }),
      ...centres.map((centre): Shape => ({ shape: 'dot', ...centre, radius: 3.5, colour })),
    ];
  });
  // Each in the middle of its part of the side.
  const ticks = ['', ...Array.from({ length: last }, (_, i) => [String(i + 1), '']).flat()];
  return captioned(
    [
      framed(BOX),
      ...axis(BOX, 'left', ['0 %', '50 %', '100 %'], 'answers'),
      ...axis(BOX, 'below', ticks, below),
      ...drawn,
      ...legend(series, BOX.x, BOX.y - 12),
    ],
    END,
    caption,
  );
}

function write(name: string, figure: Figure): void {
  writeFileSync(path.join(docs, 'images', `${name}.svg`), svgOf(figure));
}

write(
  'latents-moves',
  shareFigure(
    [
      { name: 'own latents', colour: COLOURS.blue, points: column('own latents') },
      { name: 'no latents, 82 minutes', colour: COLOURS.orange, points: row('no latents, 82 minutes', 100) },
      { name: 'zeros in their place', colour: COLOURS.red, points: column('zeroed') },
    ],
    'moves; trained on one to six',
    [
      'Whole maps right, held-out worlds',
      'Bars: 95 % intervals (Wilson). Trained for 67 minutes with latents, for 82 (55 of the processor) without.',
    ],
  ),
);
write(
  'latents-exchanged',
  shareFigure(
    [
      {
        name: 'this block alone',
        colour: COLOURS.orange,
        points: column("goes on from the other walk's state"),
      },
      {
        name: 'all blocks up to it',
        colour: COLOURS.blue,
        points: column('goes on, all blocks up to it exchanged'),
      },
    ],
    'block whose latents are another walk’s',
    ['The answer goes on from the other walk’s state', 'Six moves. Bars: 95 % intervals (Wilson).'],
  ),
);
