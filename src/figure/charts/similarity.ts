/** Cosines between latents as a matrix, and with another run's where the trace keeps those. */

import { t } from '../../base/l10n.ts';
import { collapseText, cosinesFamily, cosinesOf } from '../../evidence/cosines.ts';
import { number } from '../../evidence/format.ts';
import { diverging } from '../../heatmap/palettes.ts';
import type { Trace } from '../../trace/schema.ts';
import type { Chart, ChartSource } from '../chart.ts';
import type { Shape } from '../figure.ts';
import { originText } from '../maps.ts';
import {
  blockName,
  captioned,
  colourBar,
  filled,
  fitting,
  framed,
  MARGIN,
  words,
  type Box,
} from '../plot.ts';

const SIDE = 360;
/** More than can be told apart: cells are means of several then. */
const MOST_CELLS = 160;
const AXIS = 18;

interface Matrix {
  rows: number;
  columns: number;
  values: Float32Array;
}

/** @returns nothing for fewer than two latents */
export async function similarityChart({ trace, maps, found }: ChartSource): Promise<Chart | undefined> {
  const family = cosinesFamily(trace);
  if (trace.latents.length < 2) return undefined;
  await maps.slices.load({ family, from: 0, to: 1 });
  const values = maps.slices.at(family);
  if (values === undefined) return undefined;
  const cosines = cosinesOf(trace, values);
  const own = { rows: cosines.count, columns: cosines.count, values };
  const box = { x: MARGIN + AXIS, y: MARGIN + AXIS, width: SIDE, height: SIDE };
  const other = (await found('similarity'))?.result.other;
  const beside = other && {
    rows: other.cosines.shape[0]!,
    columns: other.cosines.shape[1]!,
    values: other.cosines.data,
  };
  const second = { ...box, x: box.x + SIDE + 48 };
  const right = (beside === undefined ? box.x : second.x) + SIDE;
  const bar = { x: box.x, y: box.y + SIDE + 34, width: 200, height: 10 };
  const binned = Math.max(own.rows, beside?.columns ?? 0) > MOST_CELLS;
  return {
    figure: captioned(
      [
        ...cells(own, box),
        ...blockMarks(trace, box, true),
        ...(beside === undefined
          ? []
          : [
              ...cells(beside, second),
              ...blockMarks(trace, second, false),
              words(t('latents of the other run'), second.x, second.y - 6),
            ]),
        ...colourBar(bar, (at) => diverging(2 * at - 1), ['−1', '1'], t('cosine; 0 is white')),
      ],
      { right, bottom: bar.y + 30 },
      [
        t('Cosines between latents, by block'),
        `${t('Mean cosine within blocks:')} ${number(cosines.within)}, ${t('between blocks:')} ${number(cosines.between)}. ${collapseText(cosines)}`,
        ...(other?.samePlace === undefined
          ? []
          : [
              `${t('Mean cosine at the same places:')} ${number(other.samePlace)}, ${t('at other places:')} ${number(other.otherPlaces ?? NaN)}.`,
            ]),
        ...(binned ? [t('A cell is the mean of several latents.')] : []),
        originText(trace),
      ],
    ),
    numbers: {
      heads: ['block', 'latent', ...trace.latents.slice(0, own.columns).map((latent) => name('', latent))],
      rows: trace.latents
        .slice(0, own.rows)
        .map(({ block, index }, i) => [
          block + 1,
          index + 1,
          ...values.subarray(i * own.columns, (i + 1) * own.columns),
        ]),
    },
  };
}

function name(prefix: string, { block, index }: { block: number; index: number }): string {
  return `${prefix}block ${block + 1} latent ${index + 1}`;
}

function cells(matrix: Matrix, box: Box): Shape[] {
  const { rows, columns, values } = binnedTo(matrix, MOST_CELLS);
  const [width, height] = [box.width / columns, box.height / rows];
  return [...values].map((value, i) => {
    const place = { x: box.x + (i % columns) * width, y: box.y + Math.floor(i / columns) * height };
    return filled({ ...place, width, height }, diverging(Math.min(1, Math.max(-1, value || 0))));
  });
}

/** At most so many rows and columns, each the mean of its share. */
function binnedTo({ rows, columns, values }: Matrix, most: number): Matrix {
  const [height, width] = [Math.min(most, rows), Math.min(most, columns)];
  if (height === rows && width === columns) return { rows, columns, values };
  const sums = new Float64Array(height * width);
  const counts = new Float64Array(height * width);
  values.forEach((value, i) => {
    const row = Math.floor((Math.floor(i / columns) / rows) * height);
    const cell = row * width + Math.floor(((i % columns) / columns) * width);
    sums[cell]! += value;
    counts[cell]!++;
  });
  return { rows: height, columns: width, values: Float32Array.from(sums, (sum, i) => sum / counts[i]!) };
}

/** The blocks' names and borders along the left edge, and along the upper one if columns are the same latents. */
function blockMarks(trace: Trace, box: Box, isSquare: boolean): Shape[] {
  const count = Math.max(1, trace.latents.length);
  let before = 0;
  const shapes = trace.blocks.flatMap(({ index, latents }): Shape[] => {
    if (latents === 0) return [];
    const [from, length] = [before / count, latents / count];
    before += latents;
    const [y, x] = [box.y + from * box.height, box.x + from * box.width];
    const label = fitting(blockName(index), length * box.height);
    const border = (points: { x: number; y: number }[]): Shape => ({
      shape: 'line',
      points,
      colour: [0, 0, 0],
      width: 1,
    });
    const [right, bottom] = [box.x + box.width, box.y + box.height];
    const middle = { x: box.x - 6, y: y + (length * box.height) / 2 };
    return [
      words(label, middle.x, middle.y, { anchor: 'middle', turned: true }),
      border([
        { x: box.x, y },
        { x: right, y },
      ]),
      ...(isSquare
        ? [
            words(label, x + (length * box.width) / 2, box.y - 6, { anchor: 'middle' as const }),
            border([
              { x, y: box.y },
              { x, y: bottom },
            ]),
          ]
        : []),
    ];
  });
  return [...shapes, framed(box)];
}
