/** Charts to take out: the same bytes every time, numbers as the trace has them, and results from a hostile trace. */

import { describe, expect, it } from 'vitest';
import {
  ANALYSES,
  ANALYSIS_NAMES,
  type AnalysisName,
  type AnalysisResult,
  type PanelAnalysis,
} from '../../src/analysis/table.ts';
import { UserError } from '../../src/base/errors.ts';
import { seededNumbers } from '../../src/base/random.ts';
import type { ChartChoices, ChartResult, ChartSource } from '../../src/figure/chart.ts';
import { CHART_NAMES, CHARTS, type ChartKind, type ChartName } from '../../src/figure/charts.ts';
import { csvOf } from '../../src/figure/csv.ts';
import { svgOf } from '../../src/figure/svg.ts';
import { isNumericArray } from '../../src/analysis/definition.ts';
import { loadResult, storedAnalysis } from '../../src/trace/analyses.ts';
import type { KeptAnalysis, Trace } from '../../src/trace/schema.ts';
import type { MemoryContainer } from '../../src/traceFile/container.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { sampleResult } from '../webview/sampleAnalyses.ts';
import { sampleRun } from '../webview/sampleTrace.ts';

/** Those of one run. */
const NAMES = ANALYSIS_NAMES.filter((name): name is PanelAnalysis => name !== 'divergence');

const open = sampleRun();
const { trace } = open;

const CHOICES: ChartChoices = {
  layer: 2,
  heads: 'mean',
  shares: 'all',
  latent: 5,
  picture: trace.pictures[0]!.id,
  plane: '0 1',
  measure: 'attention',
  token: 0,
};

function sourceOf({ maps }: OpenTrace, found: ChartSource['found']): ChartSource {
  return { trace, maps, found, png: async (picture) => (await open.picture(picture)).png };
}

const whole = sourceOf(open, async <Name extends AnalysisName>(name: Name): Promise<ChartResult<Name>> => ({
  result: sampleResult(trace, name as PanelAnalysis) as AnalysisResult<Name>,
  method: ANALYSES[name].method,
  model: 'a model',
  device: 'cpu (one)',
}));

const drawn = async (name: ChartName, more: Partial<ChartChoices> = {}, source = whole) => {
  const chart: ChartKind = CHARTS[name];
  return (await chart.draw(source, { ...CHOICES, ...more }))!;
};

describe.each(CHART_NAMES)('the chart %s', (name) => {
  it('is the same bytes when it is made again, within its bounds, with who made it and its numbers', async () => {
    const { figure, numbers } = await drawn(name);
    const svg = svgOf(figure);
    expect(svgOf((await drawn(name)).figure)).toBe(svg);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(svg).toContain('sample-model on cpu');
    for (const shape of figure.shapes) {
      const points = 'points' in shape ? shape.points : [shape];
      for (const { x, y } of points) {
        expect(x).toBeGreaterThanOrEqual(0);
        expect(x + ('width' in shape && !('points' in shape) ? shape.width : 0)).toBeLessThanOrEqual(
          figure.width,
        );
        expect(y).toBeGreaterThanOrEqual(0);
        expect(y).toBeLessThanOrEqual(figure.height);
      }
    }
    const [heads, ...rows] = csvOf(numbers).trimEnd().split('\r\n');
    expect(heads!.split(',').length).toBeGreaterThan(2);
    expect(rows.length).toBeGreaterThan(1);
    for (const row of numbers.rows) expect(row).toHaveLength(numbers.heads.length);
  });
});

it('numbers are those of the trace', async () => {
  const { numbers } = await drawn('span');
  const at = trace.latents[5]!.token;
  const { data } = trace.tokens[at]!.looks!;
  expect(numbers.rows.find(([position]) => position === at + 1)).toEqual([
    at + 1,
    'latent',
    trace.tokens[at]!.text,
    trace.latents[5]!.block + 1,
    trace.latents[5]!.index + 1,
    data[2 * 6],
    data[2 * 6 + 4],
  ]);
  const { numbers: cosines } = await drawn('similarity');
  expect(cosines.rows).toHaveLength(trace.latents.length);
  cosines.rows.forEach((row, i) => expect(row[2 + i]).toBeCloseTo(1, 5));
});

it('one head has latents only, and an analysis that is not kept has no chart', async () => {
  const { numbers } = await drawn('span', { heads: 1 });
  expect(numbers.rows.map((row) => row[1])).toEqual(trace.latents.map(() => 'latent'));
  const without = sourceOf(open, async () => undefined);
  for (const name of ['pca', 'lens', 'relevance', 'attention'] as const)
    expect(await drawn(name, {}, without)).toBeUndefined();
  expect(await drawn('similarity', {}, without)).toBeDefined();
});

describe('a result from a hostile trace', () => {
  const store = (name: PanelAnalysis): Promise<KeptAnalysis> =>
    storedAnalysis(
      { method: name, parameters: {} },
      sampleResult(trace, name),
      { status: 'complete' },
      open.container as MemoryContainer,
    );

  it.each(NAMES)('%s as it is fits its run', async (name) => {
    expect(await loadResult(name, await store(name), trace, open.container)).toEqual(
      sampleResult(trace, name),
    );
  });

  it('is refused as damaged, or draws; nothing else is thrown', async () => {
    const random = seededNumbers(3);
    const outcomes = { refused: 0, drawn: 0 };
    for (const name of NAMES) {
      for (let i = 0; i < 40; i++) {
        const damaged = damage(sampleResult(trace, name), random);
        const sink = open.container as MemoryContainer;
        const kept = await storedAnalysis(
          { method: name, parameters: {} },
          damaged as never,
          { status: 'complete' },
          sink,
        );
        try {
          const result = await loadResult(name, kept, trace, open.container);
          await drawAll(trace, name, result);
          outcomes.drawn++;
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          expect((error as Error).message).toMatch(/in this trace is damaged: expected /);
          outcomes.refused++;
        }
      }
    }
    expect(outcomes.refused).toBeGreaterThan(120);
  });
});

async function drawAll(_: Trace, name: AnalysisName, result: unknown): Promise<void> {
  const found = async (other: AnalysisName) =>
    other === name ? ({ result, method: 'm' } as never) : undefined;
  const source = sourceOf(open, found);
  for (const chart of CHART_NAMES) {
    const drawing = await drawn(chart, {}, source);
    if (drawing !== undefined) expect(svgOf(drawing.figure)).not.toMatch(/NaN|Infinity/);
  }
}

const BAD = [Number.NaN, Number.POSITIVE_INFINITY, 1e30, -5, 0.5, 2 ** 31];

/** A copy with one of its numbers, arrays or names changed. */
function damage(result: unknown, random: () => number): unknown {
  const copy = structuredClone(result);
  const places: { in: Record<string, unknown>; key: string }[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push({ in: value as Record<string, unknown>, key });
      if (!isNumericArray((value as Record<string, unknown>)[key]))
        walk((value as Record<string, unknown>)[key]);
    }
  };
  walk(copy);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const place = pick(places);
  const value = place.in[place.key];
  if (isNumericArray(value)) {
    if (random() < 0.5)
      value.data[Math.floor(random() * value.data.length)] = pick([BAD[0]!, BAD[1]!, BAD[2]!]);
    else {
      const shape = value.shape.map((length, axis) => (axis === 0 ? Math.max(1, length - 1) : length));
      const size = shape.reduce((product, length) => product * length, 1);
      place.in[place.key] = { shape, data: value.data.slice(0, size) };
    }
  } else if (typeof value === 'number') place.in[place.key] = pick(BAD);
  else if (typeof value === 'string') place.in[place.key] = random() < 0.5 ? 'no-such' : 7;
  else place.in[place.key] = undefined;
  return copy;
}
