/** What deletion and insertion curves come down to: areas between a map's curves and those of random orders. */

import type { AnalysisResult } from '../analysis/table.ts';
import { t } from '../base/l10n.ts';
import { number } from './format.ts';

type Result = AnalysisResult<'faithfulness'>;
export type FaithfulnessCurves = Result['latents'][number]['state'];

/** Two-sided, of 95 % of a normal distribution. */
const Z_95 = 1.96;

/** An area between curves; `low` to `high`: where 95 % of random orders would put it off the mean, about the score. */
export interface Score {
  value: number;
  low: number;
  high: number;
}

/** Above 0: taking its first patches away harms more, or giving them back helps more, than random ones. */
export interface CurveScores {
  map: Score;
  /** The same of the order of what all latents look at. */
  sink: Score;
}

/**
 * ½ [(mean random area − deletion area) + (insertion area − mean random insertion area)]. A random order read backwards
 * is a random order too, so that its insertion is its deletion reversed. The interval is ± 1.96 standard deviations of
 * the same figure for each single random order.
 */
export function scoresOf(curves: FaithfulnessCurves, fractions: Float32Array): CurveScores {
  const { deletion, insertion, sinkDeletion, sinkInsertion, random } = curves;
  const [orders = 0, count = 0] = random.shape;
  const areas = Array.from({ length: orders }, (_, i) =>
    areaUnder(random.data.subarray(i * count, (i + 1) * count), fractions),
  );
  const mean = areas.reduce((sum, area) => sum + area, 0) / orders;
  const variance = areas.reduce((sum, area) => sum + (area - mean) ** 2, 0) / Math.max(1, orders - 1);
  // Deletion and insertion of one random order each, halved.
  const reach = Z_95 * Math.sqrt(variance / 2);
  const score = (away: Float32Array, back: Float32Array): Score => {
    const value = (areaUnder(back, fractions) - areaUnder(away, fractions)) / 2;
    return { value, low: value - reach, high: value + reach };
  };
  return {
    map: score(deletion.data, insertion.data),
    sink: score(sinkDeletion.data, sinkInsertion.data),
  };
}

/** By the trapezoid rule. */
function areaUnder(curve: Float32Array, fractions: Float32Array): number {
  let area = 0;
  for (let i = 1; i < curve.length; i++)
    area += ((curve[i]! + curve[i - 1]!) / 2) * (fractions[i]! - fractions[i - 1]!);
  return area;
}

/** Whether the interval leaves out 0. */
export function isApart({ low, high }: Score): boolean {
  return low > 0 || high < 0;
}

export function scoreText({ value, low, high }: Score): string {
  return `${signed(value)} (${signed(low)} … ${signed(high)})`;
}

/** "+0.12" */
export function signed(value: number): string {
  if (Math.abs(value) < 1e-6) return '0';
  return `${value > 0 ? '+' : ''}${number(value)}`;
}

/** One sentence on the latents that were tested, with its rule. */
export function faithfulnessVerdict({ latents, fractions }: Result): { sentence: string; rule: string } {
  const rule = t(
    'A map counts as more faithful than random orders if its score on the next state lies above 0 with its whole interval.',
  );
  if (latents.length === 0) return { sentence: t('Nothing was tested yet.'), rule };
  const scores = latents.map(({ state }) => scoresOf(state, fractions.data));
  const better = scores.filter(({ map }) => map.low > 0).length;
  const beyondSink = scores.filter(({ map, sink }) => map.low > 0 && map.value > sink.value).length;
  const sentence = t(
    'The map tells better than chance which patches the next state depends on for {0} of {1} latents, better than the common sink for {2}.',
    better,
    latents.length,
    beyondSink,
  );
  return { sentence, rule };
}
