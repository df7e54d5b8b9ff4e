/** The figures of an evaluation. */

import { baselinesOf } from '../dataset/baselines.ts';
import type { Sample } from '../dataset/samples.ts';
import { wilsonInterval } from '../dataset/statistics.ts';
import type { SampleResult } from './results.ts';
import type { Terminal } from './terminal.ts';

/** Prints accuracy with its interval, per map size, by the other readings, and the baselines. */
export function reportScores(terminal: Terminal, samples: Sample[], results: SampleResult[]): void {
  terminal.line();
  if (results.length < samples.length)
    terminal.line(`${results.length} of ${samples.length} samples are done; these figures are of those.`);
  const label = (text: string): string => terminal.style('dim', text.padEnd(18));
  terminal.line(
    `${label('accuracy')}${terminal.style('bold', accuracy(results.map(({ success }) => success)))}`,
  );
  const sizes = [...new Set(results.flatMap(({ size }) => size ?? []))].toSorted((a, b) => a - b);
  for (const size of sizes) {
    const outcomes = results.filter((result) => result.size === size).map(({ success }) => success);
    terminal.line(`${label(`  ${size} × ${size}`)}${accuracy(outcomes)}`);
  }
  const strict = results.flatMap((result) => result.strict ?? []);
  const released = results.flatMap((result) => result.released ?? []);
  if (strict.length > 0) terminal.line(`${label('strict parser')}${accuracy(strict)}`);
  if (released.length > 0) terminal.line(`${label('released reading')}${accuracy(released)}`);
  reportBaselines(terminal, label, samples, results);
  const errors = results.filter(({ error }) => error !== undefined).length;
  if (errors > 0) terminal.line(`${label('not answered')}${errors}, counted as wrong`);
}

function reportBaselines(
  terminal: Terminal,
  label: (text: string) => string,
  samples: Sample[],
  results: SampleResult[],
): void {
  const done = new Set(results.map(({ line }) => line));
  const maps = samples.flatMap(({ line, map }) => (map !== undefined && done.has(line) ? [map] : []));
  const baselines = baselinesOf(maps);
  if (baselines === undefined) return;
  const { randomWalk, majority } = baselines;
  terminal.line(`${label('random walk')}${percent(randomWalk)} expected, stopping at the goal`);
  terminal.line(
    `${label('same plan always')}${percent(majority.share)} with ${majority.moves}, the best such plan`,
  );
}

/** "78 of 100 = 78.0 % (95 % interval 68.9 to 85.0 %)" */
export function accuracy(outcomes: boolean[]): string {
  const successes = outcomes.filter(Boolean).length;
  if (outcomes.length === 0) return 'no samples';
  const { low, high } = wilsonInterval(successes, outcomes.length);
  const interval = `95 % interval ${(low * 100).toFixed(1)} to ${percent(high)}`;
  return `${successes} of ${outcomes.length} = ${percent(successes / outcomes.length)} (${interval})`;
}

/** "78.0 %" */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
