/** What leads to the answer: a map over each picture, and sums by source. */

import { t } from '../../base/l10n.ts';
import { number } from '../../evidence/format.ts';
import { measuresOf, relevanceBySource, relevanceMap, type Measure } from '../../evidence/relevance.ts';
import { sourceName, STACK } from '../../evidence/sources.ts';
import { STRENGTH } from '../../heatmap/constants.ts';
import type { Drawing } from '../../heatmap/law.ts';
import { scaleOf } from '../../heatmap/scale.ts';
import { latentIndexAt } from '../../trace/columns.ts';
import type { Trace } from '../../trace/schema.ts';
import { analysisCaption, type Chart, type ChartChoices, type ChartSource } from '../chart.ts';
import type { Cell } from '../csv.ts';
import type { Shape } from '../figure.ts';
import { barShapes, BAR_ROOM, mapShapes } from '../maps.ts';
import { bars, captioned, COLOURS, fitting, MARGIN, ROW, words } from '../plot.ts';

const SIDE = 300;
const SOURCES = { names: 90, bars: 130, values: 70 };

/** @returns nothing where the result has no measure */
export async function relevanceChart(
  { trace, found: foundOf, png }: ChartSource,
  { measure: wanted }: Pick<ChartChoices, 'measure'>,
): Promise<Chart | undefined> {
  const found = await foundOf('relevance');
  if (found === undefined) return undefined;
  const measures = measuresOf(found.result);
  const measure = measures.find(({ id }) => id === wanted) ?? measures[0];
  if (measure === undefined) return undefined;
  const top = MARGIN + 20;
  const shapes: Shape[] = [];
  let x = MARGIN;
  let bottom = top;
  for (const picture of trace.pictures) {
    const map = relevanceMap(measure, picture);
    if (map === undefined) continue;
    const height = Math.max(1, Math.round((SIDE * picture.height) / picture.width));
    const drawing: Drawing = { law: 'heat', scale: scaleOf([map]), strength: STRENGTH };
    const box = { at: { x, y: top }, width: SIDE, height };
    const under = { width: picture.width, height: picture.height, png: await png(picture) };
    shapes.push(
      words(fitting(picture.name, SIDE), x, top - 6),
      ...mapShapes(map, box, { picture: under, drawing, contour: 0 }),
      ...barShapes({ x: x + SIDE + 8, y: top }, height, drawing, ''),
    );
    x += SIDE + BAR_ROOM;
    bottom = Math.max(bottom, top + height);
  }
  const sums = relevanceBySource(trace, measure);
  const box = { x: x + SOURCES.names, y: top, width: SOURCES.bars, height: STACK.length * ROW };
  const rows = STACK.map((source) => ({
    name: sourceName(source),
    value: sums[source],
    text: number(sums[source]),
    colour: sums[source] < 0 ? COLOURS.red : COLOURS.blue,
  }));
  const { text, logProbability } = found.result.answer;
  return {
    figure: captioned(
      [...shapes, words(t('By source, {0}', measure.unit), x, top - 6), ...bars(box, rows)],
      { right: box.x + box.width + SOURCES.values, bottom: Math.max(bottom, box.y + box.height) },
      [
        `${measure.name} ${t('of the answer “{0}”', text.replaceAll('\n', '↵'))} (${t('{0} nats', number(logProbability))})`,
        `${measure.caption} ${t('Unit: {0}; each map’s scale ends at its 99th percentile.', measure.unit)}`,
        ...analysisCaption(trace, found),
      ],
    ),
    numbers: numbersOf(trace, measures),
  };
}

/** A row per position of the sequence, a column per measure. */
function numbersOf(trace: Trace, measures: readonly Measure[]): Chart['numbers'] {
  const length = measures[0]!.values.length;
  const prompt = trace.prompt.ids.length;
  return {
    heads: [
      'position',
      'kind',
      'name',
      'row or block',
      'column or latent',
      ...measures.map(({ name, unit }) => `${name} (${unit})`),
    ],
    rows: Array.from({ length }, (_, position): Cell[] => [
      position + 1,
      ...(position < prompt ? inPrompt(trace, position) : inAnswer(trace, position - prompt)),
      ...measures.map(({ values }) => values[position]),
    ]),
  };
}

function inPrompt({ pictures }: Trace, position: number): Cell[] {
  for (const { name, range, grid } of pictures) {
    if (range === undefined || position < range.start || position >= range.start + range.count) continue;
    const patch = position - range.start;
    return ['patch', name, Math.floor(patch / grid.columns) + 1, (patch % grid.columns) + 1];
  }
  return ['prompt', undefined, undefined, undefined];
}

function inAnswer(trace: Trace, token: number): Cell[] {
  const latent = trace.latents[latentIndexAt(trace, token) ?? -1];
  if (latent !== undefined) return ['latent', undefined, latent.block + 1, latent.index + 1];
  return [trace.tokens[token]?.kind, trace.tokens[token]?.text, undefined, undefined];
}
