/** Charts along the answer: visual mass and entropy, and where each position looks, stacked. */

import { t } from '../../base/l10n.ts';
import { positionName } from '../../evidence/format.ts';
import { layerOf, sourceName, sourcesOf, STACK, type SourcePoint } from '../../evidence/sources.ts';
import { runsOf, spanFamily, spanOf, type SpanPoint } from '../../evidence/span.ts';
import type { Rgb } from '../../heatmap/palettes.ts';
import { choiceLabel } from '../../trace/choice.ts';
import { latentIndexAt } from '../../trace/columns.ts';
import { shareLayer, type Source } from '../../trace/looks.ts';
import type { Trace } from '../../trace/schema.ts';
import { lastTokenOf } from '../../trace/steps.ts';
import type { Chart, ChartChoices, ChartSource } from '../chart.ts';
import type { Cell } from '../csv.ts';
import type { Point, Shape } from '../figure.ts';
import { originText } from '../maps.ts';
import {
  axis,
  blockName,
  captioned,
  COLOURS,
  filled,
  fitting,
  framed,
  legend,
  MARGIN,
  placeIn,
  WIDTH,
  words,
  type Box,
} from '../plot.ts';

const BOX: Box = { x: MARGIN + 52, y: MARGIN + 26, width: WIDTH - 104, height: 180 };
const BLOCK: Rgb = [228, 236, 244];

const SOURCE_COLOURS: Record<Source, Rgb> = {
  pictures: COLOURS.blue,
  latents: COLOURS.orange,
  answer: COLOURS.green,
  prompt: COLOURS.grey,
};

export async function spanChart(
  { trace, maps }: ChartSource,
  { layer, heads }: Pick<ChartChoices, 'layer' | 'heads'>,
): Promise<Chart> {
  const family = spanFamily(trace, layer, heads);
  if (family !== undefined) await maps.slices.load({ family, from: 0, to: trace.latents.length });
  const span = spanOf(trace, maps, layer, heads);
  const most = Math.max(span.uniformBits, 1e-9);
  const runs = runsOf(span.points);
  const place = placer(trace);
  const line = (up: (point: SpanPoint) => number, colour: Rgb, dashes?: number[]): Shape[] =>
    runs.map((run): Shape => {
      const points = run.map((point) => place(point.token, up(point)));
      const [only] = points;
      if (points.length === 1) return { shape: 'dot', ...only!, radius: 2, colour };
      return { shape: 'line', points, colour, width: 1.75, ...(dashes && { dashes }) };
    });
  const { layers, heads: count } = trace.model;
  return {
    figure: captioned(
      [
        ...ground(trace, COLOURS.grey, true),
        ...axis(BOX, 'left', ['0', '0.5', '1'], t('visual mass')),
        ...axis(BOX, 'right', ['0', (most / 2).toFixed(1), most.toFixed(1)], t('bits')),
        ...line(({ bits }) => bits / most, COLOURS.orange, [5, 3]),
        ...line(({ mass }) => mass, COLOURS.blue),
        ...legend(
          [
            { name: t('visual mass'), colour: COLOURS.blue },
            { name: t('entropy over the pictures'), colour: COLOURS.orange },
          ],
          BOX.x,
          BOX.y - 12,
        ),
      ],
      { right: WIDTH + MARGIN, bottom: BOX.y + BOX.height + 36 },
      [
        t('Visual mass and entropy along the answer'),
        t(
          'Share of each position’s attention that lies on the pictures, and its entropy over their patches. Of: {0}, {1}.',
          choiceLabel('layer', span.layer, layers),
          choiceLabel('head', span.heads, count),
        ),
        originText(trace),
      ],
    ),
    numbers: {
      heads: [...POSITION_HEADS, 'visual mass', 'entropy in bits'],
      rows: span.points.map(({ token, mass, bits }) => [...positionCells(trace, token), mass, bits]),
    },
  };
}

export function sourcesChart(
  { trace }: ChartSource,
  { layer, shares }: Pick<ChartChoices, 'layer' | 'shares'>,
): Chart {
  const used = shareLayer(layer);
  const points = sourcesOf(trace, used, shares);
  const stack = STACK.filter((source) => shares === 'all' || source !== 'prompt');
  const place = placer(trace);
  const outline = (run: readonly SourcePoint[], source: Source): Point[] => {
    const edge = (end: 0 | 1) => (point: SourcePoint) => {
      const up = layerOf(point, source)[end];
      return [place(point.token - 0.5, up), place(point.token + 0.5, up)];
    };
    return [...run.flatMap(edge(1)), ...run.flatMap(edge(0)).toReversed()];
  };
  const runs = runsOf(points);
  const areas = stack.flatMap((source) =>
    runs.map((run): Shape => ({
      shape: 'area',
      points: outline(run, source),
      colour: SOURCE_COLOURS[source],
    })),
  );
  return {
    figure: captioned(
      [
        ...areas,
        ...ground(trace, [60, 60, 60], false),
        ...axis(BOX, 'left', ['0', '0.5', '1'], t('share')),
        ...legend(
          stack.map((source) => ({ name: sourceName(source), colour: SOURCE_COLOURS[source] })),
          BOX.x,
          BOX.y - 12,
        ),
      ],
      { right: WIDTH + MARGIN, bottom: BOX.y + BOX.height + 36 },
      [
        t('Attention by source along the answer'),
        t(
          'Shares of each position’s attention. Of: {0}, {1}.',
          choiceLabel('layer', used, trace.model.layers),
          choiceLabel('head', 'mean', trace.model.heads),
        ),
        ...(shares === 'all'
          ? []
          : [t('Shares of what is left without the prompt’s text, its sink included: renormalised to 1')]),
        originText(trace),
      ],
    ),
    numbers: {
      heads: [...POSITION_HEADS, ...stack.map((source) => SOURCE_HEADS[source])],
      rows: points.map(({ token, mass }) => [
        ...positionCells(trace, token),
        ...stack.map((source) => mass[source]),
      ]),
    },
  };
}

const SOURCE_HEADS: Record<Source, string> = {
  pictures: 'pictures',
  latents: 'latents',
  answer: 'own words',
  prompt: 'prompt text',
};

const POSITION_HEADS = ['position', 'kind', 'text', 'block', 'latent'];

/** Positions, blocks and latents count from 1. */
function positionCells(trace: Trace, token: number): Cell[] {
  const { kind, text } = trace.tokens[token]!;
  const latent = trace.latents[latentIndexAt(trace, token) ?? -1];
  return [token + 1, kind, text, latent && latent.block + 1, latent && latent.index + 1];
}

/** The middle of a position, and a share of the height. */
function placer(trace: Trace): (token: number, up: number) => Point {
  const count = Math.max(1, trace.tokens.length);
  return (token, up) => placeIn(BOX, (token + 0.5) / count, up);
}

/** Frame, blocks with their names, first and last position. @param shaded whether blocks are, or only marked off */
function ground(trace: Trace, colour: Rgb, shaded: boolean): Shape[] {
  const place = placer(trace);
  const last = trace.tokens.length - 1;
  const blocks = trace.blocks.flatMap((block): Shape[] => {
    const { index, startToken } = block;
    const from = place(startToken - 0.5, 1);
    const { x } = place(lastTokenOf(trace, block) + 0.5, 1);
    const box = { ...from, width: x - from.x, height: BOX.height };
    const name = words(
      fitting(blockName(index), Math.max(12, box.width)),
      box.x + 2,
      BOX.y + BOX.height + 15,
    );
    return [shaded ? filled(box, BLOCK) : framed(box, colour), name];
  });
  const below = BOX.y + BOX.height + 30;
  return [
    ...blocks,
    framed(BOX),
    words(t('position in the answer'), BOX.x + BOX.width / 2, below, { anchor: 'middle' }),
    ...(last >= 0
      ? [
          words(fitting(`1 ${positionName(trace, 0)}`, 160), BOX.x, below),
          words(fitting(`${last + 1} ${positionName(trace, last)}`, 160), BOX.x + BOX.width, below, {
            anchor: 'end',
          }),
        ]
      : []),
  ];
}
