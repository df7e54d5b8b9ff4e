/** `ilvr compare`: two evaluations of the same samples, and whether their difference may be chance. */

import { realpath } from 'node:fs/promises';
import { UserError } from '../base/errors.ts';
import {
  differenceOf,
  FEWEST_DIFFERING,
  pairUp,
  SIGNIFICANCE,
  type Difference,
  type Pair,
} from '../evaluation/comparison.ts';
import { sizesOf } from '../evaluation/figures.ts';
import {
  differencesOf,
  readResults,
  type Results,
  type ResultsHeader,
  type SampleResult,
} from '../evaluation/results.ts';
import { settingName } from '../evaluation/settings.ts';
import { percent, points, probability } from '../evaluation/words.ts';
import { EXIT, type CliContext } from './context.ts';
import { label as labelOf, type Styled, type Terminal } from './terminal.ts';

/**
 * Runs the command.
 * @returns the exit code
 * @throws UserError for a file that holds no results, results that cannot be paired, or twice the same file
 */
export async function compare({ terminal }: CliContext, pathA: string, pathB: string): Promise<number> {
  const [a, b] = await Promise.all([readResults(pathA), readResults(pathB)]);
  if ((await realpath(pathA)) === (await realpath(pathB))) {
    throw new UserError({
      problem: 'Results are not compared with themselves',
      expected: 'two files',
      found: 'twice the same',
      where: pathB,
    });
  }
  const pairs = checkedPairs(a, b, pathB);
  describeFiles(terminal, { a, b, pathA, pathB });
  describePairs(terminal, a, b, pairs);
  terminal.line();
  reportRow(terminal, 'all', pairs);
  for (const size of sizesOf(pairs.map(({ a: entry }) => entry))) {
    reportRow(
      terminal,
      `  ${size} × ${size}`,
      pairs.filter((pair) => pair.a.size === size),
    );
  }
  terminal.line();
  terminal.line(verdict(differenceOf(pairs)));
  return EXIT.ok;
}

/** @throws UserError where answers of the two cannot be paired */
function checkedPairs(a: Results, b: Results, where: string): Pair[] {
  if (a.header.samples !== b.header.samples) {
    throw new UserError({
      problem: 'These results are of different samples files, so their answers cannot be paired',
      expected: `samples ${short(a.header.samples)}, as in the first file`,
      found: short(b.header.samples),
      where,
      remedy: 'Evaluate both models on one and the same file.',
    });
  }
  const pairs = pairUp([...a.results.values()], [...b.results.values()]);
  const torn = pairs.find((pair) => pair.a.mapId !== pair.b.mapId || pair.a.size !== pair.b.size);
  if (torn !== undefined) {
    throw new UserError({
      problem: `Line ${torn.a.line} is another sample in the second file`,
      expected: nameOf(torn.a),
      found: nameOf(torn.b),
      where,
    });
  }
  if (pairs.length > 0) return pairs;
  throw new UserError({
    problem: 'The two files have no sample in common',
    found: `${a.results.size} samples and ${b.results.size}`,
    where,
  });
}

function describeFiles(
  terminal: Terminal,
  { a, b, pathA, pathB }: { a: Results; b: Results; pathA: string; pathB: string },
): void {
  const describe = (path: string, { header }: Results): string =>
    [`${path} · model ${short(header.model)} on ${header.provider}`, fedIn(header)].join(' · ');
  terminal.line(label('A'), describe(pathA, a));
  terminal.line(label('B'), describe(pathB, b));
  const different = differencesOf(a.header, b.header);
  const text =
    different.length === 0 ? 'nothing: the same model and settings' : different.map(settingName).join(', ');
  terminal.line(label('differ in'), text);
}

function describePairs(terminal: Terminal, a: Results, b: Results, pairs: Pair[]): void {
  const left = [
    ['A', a.results.size - pairs.length],
    ['B', b.results.size - pairs.length],
  ] as const;
  const alone = left.filter(([, count]) => count > 0).map(([name, count]) => `${count} only in ${name}`);
  const rest = alone.length === 0 ? '' : ` (left out: ${alone.join(', ')})`;
  terminal.line(label('samples'), `${pairs.length} in both${rest}`);
  const failed = (['a', 'b'] as const).map(
    (side) => pairs.filter((pair) => pair[side].error !== undefined).length,
  );
  if (failed.some((count) => count > 0)) {
    terminal.line(label('no answer'), `${failed[0]} in A, ${failed[1]} in B, counted as wrong`);
  }
}

/** "all        A 40.0 %   B 60.0 %   only A right 2   only B right 4   B − A +20.0 points (…)" */
function reportRow(terminal: Terminal, name: string, pairs: Pair[]): void {
  const { counts, difference, low, high, p } = differenceOf(pairs);
  const { both, onlyA, onlyB } = counts;
  const share = (right: number): string => percent(right / pairs.length).padStart(7);
  const facts = [
    `A ${share(both + onlyA)}   B ${share(both + onlyB)}`,
    `only A right ${onlyA}, only B right ${onlyB} of ${pairs.length}`,
    `B − A ${points(difference)} points (95 % interval ${points(low)} to ${points(high)})`,
    `p ${probability(p)}`,
  ];
  terminal.line(label(name), facts.join('   '));
}

/** Says what the figures of all samples mean; those of a size are many looks at once and get no verdict. */
function verdict({ counts: { onlyA, onlyB }, p }: Difference): string {
  if (onlyA + onlyB === 0) return 'A and B are right on the same samples: there is no difference to explain.';
  if (onlyA === onlyB) return 'A and B are right equally often: these samples show no difference.';
  const better = onlyB > onlyA ? 'B' : 'A';
  const test = `McNemar's exact test, p ${probability(p)}`;
  if (p < SIGNIFICANCE)
    return `${better} is better on these samples, by more than chance explains (${test}).`;
  if (onlyA + onlyB < FEWEST_DIFFERING)
    return `This difference may be chance (${test}): A and B differ on ${onlyA + onlyB} samples, and of fewer than ${FEWEST_DIFFERING} the test can decide nothing.`;
  return `This difference may be chance (${test}): two equally good models would often differ as much.`;
}

function nameOf({ mapId, size }: SampleResult): string {
  const map = mapId === undefined ? 'a sample without map id' : `map ${mapId}`;
  return size === undefined ? map : `${map} of ${size} rows`;
}

function fedIn({ settings }: ResultsHeader): string {
  const { intervention = 'own' } = settings;
  return `latents ${String(intervention)}`;
}

function short(hash: string): string {
  return hash.slice(0, 12);
}

function label(text: string): Styled {
  return labelOf(text, 10);
}
