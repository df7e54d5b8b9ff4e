/** The losses by step as a picture: SVG, light on any background. */

import { lossName } from '../../watch/lossNames.ts';
import type { Metric } from '../../watch/metrics.ts';

type CurvePoint = Pick<Metric, 'step' | 'losses'>;

const WIDTH = 720;
const HEIGHT = 320;
const MARGIN = { left: 56, right: 16, top: 32, bottom: 36 };
/** More points than this would not be told apart. */
const MAX_POINTS = 600;
/** All at least 4.5 : 1 on white. */
const COLOURS = ['#0b5cad', '#b3450b', '#1a7f37', '#8250df', '#9a6700'];
const LEGEND_STEP = 130;

/** Every named loss over the same axes, which begin at zero loss. */
export function curvesSvg(points: readonly CurvePoint[]): string {
  const names = [...new Set(points.flatMap(({ losses }) => Object.keys(losses)))];
  const shown = thinned(points, names);
  const first = shown[0]?.step ?? 0;
  const last = Math.max(first + 1, shown.at(-1)?.step ?? 1);
  const highest = Math.max(1e-9, ...shown.flatMap(({ losses }) => Object.values(losses)));
  const [inner, tall] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const x = (step: number): number => MARGIN.left + (inner * (step - first)) / (last - first);
  const y = (loss: number): number => MARGIN.top + tall * (1 - loss / highest);
  const text = (atX: number, atY: number, words: string, more = ''): string =>
    `<text x="${atX}" y="${atY}" ${more}>${words}</text>`;
  const curve = (name: string, index: number): string[] => {
    const colour = COLOURS[index % COLOURS.length]!;
    const at = shown.flatMap(({ step, losses }) =>
      name in losses ? [`${x(step).toFixed(1)},${y(losses[name]!).toFixed(1)}`] : [],
    );
    return [
      text(MARGIN.left + LEGEND_STEP * index, 18, escaped(lossName(name)), `fill="${colour}"`),
      `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${at.join(' ')}"/>`,
    ];
  };
  const base = HEIGHT - MARGIN.bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<path d="M${MARGIN.left} ${MARGIN.top}V${base}H${WIDTH - MARGIN.right}" fill="none" stroke="#666666"/>`,
    text(MARGIN.left - 6, MARGIN.top + 4, highest.toPrecision(3), 'text-anchor="end"'),
    text(MARGIN.left - 6, base + 4, '0', 'text-anchor="end"'),
    text(MARGIN.left, base + 16, `${first}`),
    text(WIDTH - MARGIN.right, base + 16, `step ${last}`, 'text-anchor="end"'),
    ...names.flatMap(curve),
    '</svg>\n',
  ].join('\n');
}

/** Means of neighbours where there are too many points. */
function thinned(points: readonly CurvePoint[], names: readonly string[]): CurvePoint[] {
  const size = Math.ceil(points.length / MAX_POINTS);
  if (size <= 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    const means = names.flatMap((name) => {
      const values = group.flatMap(({ losses }) => losses[name] ?? []);
      return values.length === 0 ? [] : [[name, values.reduce((sum, v) => sum + v, 0) / values.length]];
    });
    return { step: group.at(-1)!.step, losses: Object.fromEntries(means) as Record<string, number> };
  });
}

const escaped = (words: string): string => words.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
