/** The figures of an evaluation. */

import { baselinesOf, majorityAnswer } from '../dataset/baselines.ts';
import type { Sample } from '../dataset/samples.ts';
import type { GridMap } from '../dataset/scoring.ts';
import { wilsonInterval } from '../dataset/statistics.ts';
import type { SampleResult } from './results.ts';
import { label as labelOf, Styled, type Terminal } from './terminal.ts';

/** Prints accuracy with its interval, per map size, by the other readings, and the baselines. */
export function reportScores(terminal: Terminal, samples: Sample[], results: SampleResult[]): void {
  terminal.line();
  if (results.length < samples.length)
    terminal.line(`${results.length} of ${samples.length} samples are done; these figures are of those.`);
  terminal.line(label('accuracy'), new Styled('bold', accuracy(results.map(({ success }) => success))));
  const done = new Set(results.map(({ line }) => line));
  const tried = samples.filter(({ line }) => done.has(line));
  for (const size of sizesOf(results)) {
    const outcomes = results.filter((result) => result.size === size).map(({ success }) => success);
    const baselines = baselinesOf(mapsOf(tried).filter((map) => map.length === size));
    const beside =
      baselines &&
      `; random walk ${percent(baselines.randomWalk)}, same plan ${percent(baselines.majority.share)}`;
    terminal.line(label(`  ${size} × ${size}`), `${accuracy(outcomes)}${beside ?? ''}`);
  }
  const strict = results.flatMap((result) => result.strict ?? []);
  const released = results.flatMap((result) => result.released ?? []);
  if (strict.length > 0) terminal.line(label('strict parser'), accuracy(strict));
  if (released.length > 0) terminal.line(label('released reading'), accuracy(released));
  reportBaselines(terminal, tried);
  const errors = results.filter(({ error }) => error !== undefined).length;
  if (errors > 0) terminal.line(label('not answered'), `${errors}, counted as wrong`);
}

function reportBaselines(terminal: Terminal, samples: Sample[]): void {
  const baselines = baselinesOf(mapsOf(samples));
  if (baselines !== undefined) {
    const { randomWalk, majority } = baselines;
    terminal.line(label('random walk'), `${percent(randomWalk)} expected, stopping at the goal`);
    terminal.line(
      label('same plan always'),
      `${percent(majority.share)} with ${majority.moves}, the best such plan`,
    );
  }
  const answers = samples.flatMap(({ map, answer }) =>
    map === undefined && answer !== undefined ? answer : [],
  );
  const usual = majorityAnswer(answers);
  if (usual === undefined) return;
  const text = usual.answer.slice(0, 40);
  const noun = baselines === undefined ? '' : ' of the samples without a map';
  terminal.line(
    label('same answer always'),
    `${percent(usual.share)}${noun} with ${text}, the most frequent one`,
  );
}

function label(text: string): Styled {
  return labelOf(text, 20);
}

function mapsOf(samples: Sample[]): GridMap[] {
  return samples.flatMap(({ map }) => (map === undefined ? [] : [map]));
}

/** Rows of the maps that occur, ascending. */
export function sizesOf(results: SampleResult[]): number[] {
  return [...new Set(results.flatMap(({ size }) => size ?? []))].toSorted((a, b) => a - b);
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
