/** Prints the figures of an evaluation. */

import type { Sample } from '../dataset/samples.ts';
import { chanceOf, figuresOf, meansOf, type Chance, type Mean } from '../evaluation/figures.ts';
import type { SampleResult } from '../evaluation/results.ts';
import { accuracy, meanText, percent } from '../evaluation/words.ts';
import { label as labelOf, Styled, type Terminal } from './terminal.ts';

/** Prints accuracy with its interval, per map size, by the other readings, and the baselines. */
export function reportScores(terminal: Terminal, samples: Sample[], results: SampleResult[]): void {
  terminal.line();
  if (results.length < samples.length)
    terminal.line(`${results.length} of ${samples.length} samples are done; these figures are of those.`);
  const { all, sizes, strict, released, notAnswered } = figuresOf(results);
  const done = new Set(results.map(({ line }) => line));
  const chance = chanceOf(samples.filter(({ line }) => done.has(line)));
  terminal.line(label('accuracy'), new Styled('bold', accuracy(all)));
  for (const { size, share } of sizes) {
    const baselines = chance.sizes.get(size);
    const beside =
      baselines &&
      `; random walk ${percent(baselines.randomWalk)}, same plan ${percent(baselines.majority.share)}`;
    terminal.line(label(`  ${size} × ${size}`), `${accuracy(share)}${beside ?? ''}`);
  }
  if (strict !== undefined) terminal.line(label('strict parser'), accuracy(strict));
  if (released !== undefined) terminal.line(label('released reading'), accuracy(released));
  reportChance(terminal, chance);
  if (notAnswered > 0) terminal.line(label('not answered'), `${notAnswered}, counted as wrong`);
  reportTests(terminal, results);
}

/** Of the runs that were tested. */
function reportTests(terminal: Terminal, results: SampleResult[]): void {
  const tests = results.flatMap((result) => result.tests ?? []);
  if (tests.length === 0) return;
  const { kl, faithfulness } = meansOf(tests);
  if (kl !== undefined) terminal.line(label('KL without latents'), `${meanText(kl)} nats per word`);
  if (faithfulness !== undefined)
    terminal.line(label('map faithfulness'), `${meanText(faithfulness)}: ${besideRandom(faithfulness)}`);
  else if (kl !== undefined)
    terminal.line(
      label('map faithfulness'),
      'no score: the maps of the first latents have no order, as they look at no picture',
    );
  const problems = tests.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0)
    terminal.line(label('not tested'), `${problems.length}; the first: ${problems[0]}`);
}

/** What an interval says of maps against random orders of their patches. */
function besideRandom({ low, high }: Mean): string {
  if (low > 0) return 'better than random orders';
  return high < 0 ? 'worse than random orders' : 'not told apart from random orders';
}

function reportChance(terminal: Terminal, { maps, answer: usual }: Chance): void {
  if (maps !== undefined) {
    const { randomWalk, majority } = maps;
    terminal.line(label('random walk'), `${percent(randomWalk)} expected, stopping at the goal`);
    terminal.line(
      label('same plan always'),
      `${percent(majority.share)} with ${majority.moves}, the best such plan`,
    );
  }
  if (usual === undefined) return;
  const text = usual.answer.slice(0, 40);
  const noun = maps === undefined ? '' : ' of the samples without a map';
  terminal.line(
    label('same answer always'),
    `${percent(usual.share)}${noun} with ${text}, the most frequent one`,
  );
}

function label(text: string): Styled {
  return labelOf(text, 20);
}
