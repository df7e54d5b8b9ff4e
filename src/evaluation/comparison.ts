/** Two runs over the same samples, paired: their difference, its interval, and whether it may be chance. */

import { mcNemarExact, pairedDifference, type PairedCounts } from '../dataset/statistics.ts';
import { DEEDS, type Fed } from './fed.ts';
import type { SampleResult } from './results.ts';
import { probability } from './words.ts';

/** Below this probability a difference is called more than chance, as is customary. */
export const SIGNIFICANCE = 0.05;

/** Of fewer samples on which two differ McNemar's test says nothing below `SIGNIFICANCE`, even if all speak for one side. */
export const FEWEST_DIFFERING = ((): number => {
  let count = 1;
  while (mcNemarExact(count, 0) >= SIGNIFICANCE) count++;
  return count;
})();

/** Right with its own latents, and also or not with what is fed in their place. */
type OwnRight = Pick<PairedCounts, 'both' | 'onlyA'>;

/** Answers that are right with the one, which are all that the other can lose. */
export function rightOf({ both, onlyA }: OwnRight): number {
  return both + onlyA;
}

/** Whether the test could have found a loss, had every right answer become wrong. Where not, its p says nothing of one. */
export function couldShowLoss(counts: OwnRight): boolean {
  return rightOf(counts) >= FEWEST_DIFFERING;
}

/** Why there is no verdict where `couldShowLoss` is false. */
export function tooFewRight(counts: OwnRight): string {
  return `too few answers are right with its own latents for the test (${rightOf(counts)}; it takes ${FEWEST_DIFFERING} that become wrong)`;
}

/** A sample's results in both. */
export interface Pair {
  a: SampleResult;
  b: SampleResult;
}

/** Results of one pass, in the order of the samples. */
export interface FedResults {
  fed: Fed;
  results: SampleResult[];
}

/** B − A, with Newcombe's 95 % interval, and McNemar's exact test. */
export interface Difference {
  counts: PairedCounts;
  samples: number;
  difference: number;
  low: number;
  high: number;
  p: number;
  /** How many answers read differently; equal success can hide that all of them do. */
  changed: number;
}

/** What feeding something else changed. */
export interface Effect extends Difference {
  fed: Exclude<Fed, 'own'>;
}

/** Every intervention against the model's own latents; none where own is not among the passes. */
export function effectsOf(passes: readonly FedResults[]): Effect[] {
  const own = passes.find(({ fed }) => fed === 'own');
  if (own === undefined) return [];
  return passes.flatMap(({ fed, results }) =>
    fed === 'own' ? [] : [{ fed, ...differenceOf(pairUp(own.results, results)) }],
  );
}

/** The samples that both have, by their line. */
export function pairUp(a: readonly SampleResult[], b: readonly SampleResult[]): Pair[] {
  const byLine = new Map(b.map((result) => [result.line, result]));
  return a.flatMap((result) => {
    const other = byLine.get(result.line);
    return other === undefined ? [] : [{ a: result, b: other }];
  });
}

export function differenceOf(pairs: readonly Pair[]): Difference {
  const counts = countsOf(pairs);
  return {
    counts,
    samples: pairs.length,
    ...pairedDifference(counts),
    p: mcNemarExact(counts.onlyA, counts.onlyB),
    changed: pairs.filter(({ a, b }) => a.text !== b.text).length,
  };
}

export function countsOf(pairs: readonly Pair[]): PairedCounts {
  const counts: PairedCounts = { both: 0, onlyA: 0, onlyB: 0, neither: 0 };
  for (const { a, b } of pairs) {
    if (a.success) counts[b.success ? 'both' : 'onlyA']++;
    else counts[b.success ? 'onlyB' : 'neither']++;
  }
  return counts;
}

/** "Zeroing the latents changed 3 of 100 answers: 1 right one became wrong, 0 wrong ones right. …" */
export function sentence({ fed, counts, samples, changed, p }: Effect): string {
  const { onlyA, onlyB } = counts;
  const texts = `${DEEDS[fed]} changed ${changed} of ${samples} answers`;
  if (changed === 0) return `${texts}.`;
  const isOpen = p >= SIGNIFICANCE && !couldShowLoss(counts);
  const open = 'Too few were right for that to decide anything';
  if (onlyA + onlyB === 0)
    return `${texts}, but on no sample whether it is right.${isOpen ? ` ${open}.` : ''}`;
  const became = `${onlyA} right ${onlyA === 1 ? 'one' : 'ones'} became wrong, ${onlyB} wrong ${onlyB === 1 ? 'one' : 'ones'} right`;
  const chance =
    p < SIGNIFICANCE ? 'That is more than chance explains' : isOpen ? open : 'That may be chance';
  return `${texts}: ${became}. ${chance} (p ${probability(p)}).`;
}

/** Whether the model made no latents, so that there was nothing to replace. */
export function hasNoLatents(passes: readonly FedResults[]): boolean {
  const own = passes.find(({ fed }) => fed === 'own')?.results ?? [];
  return own.length > 0 && own.every(({ latents }) => latents === 0);
}
