/** From rounds to the table of targets. */

import { median, ratio, type Course, type Laps } from './contest.ts';
import { shortOf, type Shape } from './entrants.ts';
import { SIZES } from '../../randomCheckpoint.ts';

/** A figure and what it should be. */
export interface Row {
  what: string;
  threads: number;
  figure: number;
  target: number;
  /** Whether the figure should be at least the target, or at most. */
  want: 'at least' | 'at most';
  unit: '×' | '%' | 's';
  /** The same of the fastest tokens; see `Laps.best`. */
  best?: number;
  /** How it came about. */
  how: string;
}

const PAIRS: { shape: string; ours: string; peer: string; target: number }[] = [
  { shape: '7b', ours: '8bit', peer: 'Q8_0', target: 1.5 },
  { shape: '7b', ours: '4bit', peer: 'Q4_0', target: 1 },
  { shape: '7b', ours: '4bit-fast', peer: 'Q4_0', target: 1.2 },
  { shape: '0.5b', ours: '4bit', peer: 'transformers.js q4', target: 1.8 },
  { shape: '0.5b', ours: '4bit-fast', peer: 'transformers.js q4', target: 1.8 },
  { shape: '3b', ours: '8bit', peer: 'PyTorch bf16', target: 2 },
];

export function raceRows(shape: Shape, threads: number, laps: ReadonlyMap<string, Laps>): Row[] {
  const rows: Row[] = [];
  for (const { ours, peer, target } of PAIRS.filter((pair) => pair.shape === shape.name)) {
    const [own, theirs] = [laps.get(ours), laps.get(peer)];
    if (own === undefined || theirs === undefined) continue;
    const whole = wholeOf(shape, peer, laps);
    rows.push({
      what: `${shape.name}, decode, ${ours} against ${peer}`,
      threads,
      figure: ratio(whole.rounds, own.whole),
      best: whole.best / own.best.whole,
      target,
      want: 'at least',
      unit: '×',
      how: `${figure(median(own.whole))} and ${figure(median(whole.rounds))} ms${cutOf(shape)}`,
    });
    if (shape.name !== '3b') continue;
    rows.push({
      what: `${shape.name}, prefill, ${ours} against ${peer}`,
      threads,
      figure: ratio(theirs.prefill, own.prefill),
      target: 1,
      want: 'at least',
      unit: '×',
      how: `${figure(median(own.prefill))} and ${figure(median(theirs.prefill))} ms, as cut`,
    });
  }
  for (const [name, { blind, token, best }] of laps) {
    if (blind.length === 0) continue;
    rows.push({
      what: `${shape.name}, ${name}, cost of capture`,
      threads,
      figure: 100 * (ratio(token, blind) - 1),
      best: 100 * (best.token / best.blind - 1),
      target: 3,
      want: 'at most',
      unit: '%',
      how: `${figure(median(token))} and ${figure(median(blind))} ms as cut`,
    });
  }
  return rows;
}

const cutOf = ({ name, layers }: Shape): string =>
  layers === SIZES[name]!.layers ? '' : ` (of ${layers} layers, computed for ${SIZES[name]!.layers})`;

/** Of a peer whose head's time is not known, from what it takes with all layers and with one. */
function wholeOf(
  { name, layers }: Shape,
  peer: string,
  laps: ReadonlyMap<string, Laps>,
): { rounds: number[]; best: number } {
  const { token, whole, best } = laps.get(peer)!;
  const short = laps.get(shortOf(peer));
  if (short === undefined) return { rounds: whole, best: best.whole };
  const more = (SIZES[name]!.layers - layers) / (layers - 1);
  return {
    rounds: token.map((ms, round) => ms + more * (ms - short.token[round]!)),
    best: best.token + more * (best.token - short.best.token),
  };
}

/** Everybody's times. */
export function lapsTable(
  shape: Shape,
  threads: number,
  busy: number,
  { context, rounds, tokens }: Course,
  laps: ReadonlyMap<string, Laps>,
): string {
  const lines = [...laps].map(([name, { token, blind, prefill, opened, best }]) => [
    name,
    figure(median(token)),
    figure(best.token),
    blind.length === 0 ? '' : figure(median(blind)),
    shortOf('') === name.slice(-shortOf('').length) ? '' : figure(median(wholeOf(shape, name, laps).rounds)),
    figure(median(prefill)),
    (opened.ms / 1000).toFixed(1),
    (opened.memory / 1e9).toFixed(2),
  ]);
  const of = SIZES[shape.name]!.layers;
  const title =
    `${shape.name} (${shape.layers} of ${of} layers), ${threads} thread${threads === 1 ? '' : 's'}, context ${context}, ` +
    `medians of ${rounds} × ${tokens} tokens; ${(100 * busy).toFixed(0)} % of the processors were others' before it began`;
  const head = [
    '',
    'ms a token',
    'fastest',
    'no attention',
    'whole model',
    `prefill ${context}, ms`,
    'opens, s',
    'GB',
  ];
  return `${title}\n${columns([head, ...lines])}`;
}

/** Figures beside their targets. */
export function rowsTable(rows: readonly Row[]): string {
  const digits = { '×': 2, '%': 1, s: 1 };
  return columns([
    ['', 'threads', 'figure', 'fastest', 'target', '', ''],
    ...rows.map(({ what, threads, figure: found, best, target, want, unit, how }) => [
      what,
      String(threads),
      `${found.toFixed(digits[unit])} ${unit}`,
      best === undefined ? '' : `${best.toFixed(digits[unit])} ${unit}`,
      `${want === 'at least' ? '≥' : '≤'} ${target} ${unit}`,
      (want === 'at least' ? found >= target : found <= target) ? 'met' : 'short',
      how,
    ]),
  ]);
}

function columns(table: readonly string[][]): string {
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  return table
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Three digits. */
export const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
