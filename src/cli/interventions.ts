/** Prints what replacing the latents did to the answers: every intervention against the model's own latents. */

import { effectsOf, hasNoLatents, sentence, type Effect, type FedResults } from '../evaluation/comparison.ts';
import { shareOf, shareOfSize, sizesOf } from '../evaluation/figures.ts';
import { accuracy, points, probability } from '../evaluation/words.ts';
import { label, Styled, type Terminal } from './terminal.ts';

/** Prints success of each and per size, differences to own with interval and p, and what they come down to. */
export function reportInterventions(terminal: Terminal, passes: FedResults[]): void {
  terminal.line();
  for (const row of successRows(passes)) terminal.line(label(row[0]!), row.slice(1).join('  '));
  terminal.line();
  terminal.line(new Styled('dim', "Against own, with Newcombe's 95 % interval and McNemar's exact test:"));
  const effects = effectsOf(passes);
  for (const effect of effects) terminal.line(label(effect.fed), describe(effect));
  terminal.line();
  if (hasNoLatents(passes)) terminal.line('The model made no latents, so there was nothing to replace.');
  for (const effect of effects) if (effect.samples > 0) terminal.line(sentence(effect));
}

/** A head, then a row for each pass: its name, its success, and "right/all" for each size. */
function successRows(passes: FedResults[]): string[][] {
  const sizes = sizesOf(passes.flatMap(({ results }) => results));
  const rows = passes.map(({ fed, results }) => [
    fed,
    accuracy(shareOf(results.map(({ success }) => success))),
    ...sizes.map((size) => {
      const { right, of } = shareOfSize(results, size);
      return `${right}/${of}`;
    }),
  ]);
  const table = [['latents', 'success', ...sizes.map((size) => `${size} × ${size}`)], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) => row.map((cell, column) => (column === 0 ? cell : cell.padEnd(widths[column]!))));
}

function describe({ counts, samples, difference, low, high, p, changed }: Effect): string {
  if (samples === 0) return 'no samples';
  return [
    `${points(difference)} points (${points(low)} to ${points(high)})`,
    `p ${probability(p)}`,
    `right with own only ${counts.onlyA}, with these only ${counts.onlyB}`,
    `${changed} of ${samples} texts changed`,
  ].join(' · ');
}
