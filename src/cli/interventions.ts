/** What replacing the latents did to the answers: every intervention against the model's own latents. */

import { mcNemarExact, pairedDifference } from '../dataset/statistics.ts';
import { countsOf, points, probability, SIGNIFICANCE, type Pair } from './compare.ts';
import type { Fed } from './options.ts';
import type { SampleResult } from './results.ts';
import { accuracy, sizesOf } from './scores.ts';
import { label, Styled, type Terminal } from './terminal.ts';

/** Results of one pass, in the order of the samples. */
export interface FedResults {
  fed: Fed;
  results: SampleResult[];
}

const DEEDS: Record<Exclude<Fed, 'own'>, string> = {
  zero: 'Zeroing the latents',
  noise: 'Noise in place of the latents',
  swap: "Another sample's latents",
  markers: 'Leaving the latents out',
};

/** Prints success of each and per size, differences to own with interval and p, and what they come down to. */
export function reportInterventions(terminal: Terminal, passes: FedResults[]): void {
  const own = passes.find(({ fed }) => fed === 'own')?.results ?? [];
  terminal.line();
  for (const row of successRows(passes)) terminal.line(label(row[0]!), row.slice(1).join('  '));
  terminal.line();
  terminal.line(new Styled('dim', "Against own, with Newcombe's 95 % interval and McNemar's exact test:"));
  const replaced = passes.flatMap(({ fed, results }) =>
    fed === 'own' ? [] : [{ fed, pairs: pairUp(own, results) }],
  );
  for (const { fed, pairs } of replaced) terminal.line(label(fed), differenceOf(pairs));
  terminal.line();
  if (own.length > 0 && own.every(({ latents }) => latents === 0))
    terminal.line('The model made no latents, so there was nothing to replace.');
  for (const { fed, pairs } of replaced) terminal.line(sentence(fed, pairs));
}

/** A head, then a row for each pass: its name, its success, and "right/all" for each size. */
function successRows(passes: FedResults[]): string[][] {
  const sizes = sizesOf(passes.flatMap(({ results }) => results));
  const rows = passes.map(({ fed, results }) => [
    fed,
    accuracy(results.map(({ success }) => success)),
    ...sizes.map((size) => {
      const ofSize = results.filter((result) => result.size === size);
      return `${ofSize.filter(({ success }) => success).length}/${ofSize.length}`;
    }),
  ]);
  const table = [['latents', 'success', ...sizes.map((size) => `${size} × ${size}`)], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) => row.map((cell, column) => (column === 0 ? cell : cell.padEnd(widths[column]!))));
}

function pairUp(own: SampleResult[], others: SampleResult[]): Pair[] {
  const byLine = new Map(others.map((result) => [result.line, result]));
  return own.flatMap((a) => {
    const b = byLine.get(a.line);
    return b === undefined ? [] : [{ a, b }];
  });
}

function differenceOf(pairs: Pair[]): string {
  if (pairs.length === 0) return 'no samples';
  const counts = countsOf(pairs);
  const { difference, low, high } = pairedDifference(counts);
  const { onlyA, onlyB } = counts;
  return [
    `${points(difference)} points (${points(low)} to ${points(high)})`,
    `p ${probability(mcNemarExact(onlyA, onlyB))}`,
    `right with own only ${onlyA}, with these only ${onlyB}`,
    `${changed(pairs)} of ${pairs.length} texts changed`,
  ].join(' · ');
}

/** How many answers read differently; equal success can hide that all of them do. */
function changed(pairs: Pair[]): number {
  return pairs.filter(({ a, b }) => a.text !== b.text).length;
}

/** "Zeroing the latents changed 3 of 100 answers: 1 right one became wrong, 0 wrong ones right. …" */
export function sentence(fed: Exclude<Fed, 'own'>, pairs: Pair[]): string {
  const { onlyA, onlyB } = countsOf(pairs);
  const texts = `${DEEDS[fed]} changed ${changed(pairs)} of ${pairs.length} answers`;
  if (changed(pairs) === 0) return `${texts}.`;
  if (onlyA + onlyB === 0) return `${texts}, but on no sample whether it is right.`;
  const became = `${onlyA} right ${onlyA === 1 ? 'one' : 'ones'} became wrong, ${onlyB} wrong ${onlyB === 1 ? 'one' : 'ones'} right`;
  const p = mcNemarExact(onlyA, onlyB);
  const chance = p < SIGNIFICANCE ? 'That is more than chance explains' : 'That may be chance';
  return `${texts}: ${became}. ${chance} (p ${probability(p)}).`;
}
