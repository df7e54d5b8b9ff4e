/** What deletion and insertion curves come down to: areas between a map's curves and those of random orders. */

import type { AnalysisResult } from '../analysis/table.ts';
import { unreachable } from '../base/errors.ts';
import { t } from '../base/l10n.ts';
import { number } from './format.ts';

type Result = AnalysisResult<'faithfulness'>;
type Tested = Result['latents'][number];
export type FaithfulnessCurves = Tested['state'];
type Curve = FaithfulnessCurves['deletion'];

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
  /** Undefined for a map without an order. */
  map: Score | undefined;
  /** The same of the order of what all latents look at. */
  sink: Score | undefined;
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
  const score = (away: Curve, back: Curve): Score | undefined => {
    if (away === undefined || back === undefined) return undefined;
    const value = (areaUnder(back.data, fractions) - areaUnder(away.data, fractions)) / 2;
    return { value, low: value - reach, high: value + reach };
  };
  return { map: score(deletion, insertion), sink: score(sinkDeletion, sinkInsertion) };
}

/** By the trapezoid rule. */
function areaUnder(curve: Float32Array, fractions: Float32Array): number {
  let area = 0;
  for (let i = 1; i < curve.length; i++)
    area += ((curve[i]! + curve[i - 1]!) / 2) * (fractions[i]! - fractions[i - 1]!);
  return area;
}

/** Whether the interval leaves out 0. */
export function isApart(score: Score | undefined): boolean {
  return score !== undefined && (score.low > 0 || score.high < 0);
}

export function scoreText(score: Score | undefined): string {
  if (score === undefined) return t('no score');
  const { value, low, high } = score;
  return `${signed(value)} (${signed(low)} … ${signed(high)})`;
}

/** "+0.12" */
export function signed(value: number): string {
  if (Math.abs(value) < 1e-6) return '0';
  return `${value > 0 ? '+' : ''}${number(value)}`;
}

/** What becomes of the measure with the whole picture away: where every order of patches ends. */
export function withoutPicture({ random }: FaithfulnessCurves): number {
  return random.data.at(-1)!;
}

/** Why a latent's map has no score, as a sentence; undefined where it has one. */
export function whyNoScore({ withoutOrder }: Tested, layer: number): string | undefined {
  switch (withoutOrder) {
    case undefined:
      return undefined;
    case 'no-look':
      return t('It looks at no picture: all of its attention on pictures is 0 in layer {0}.', layer + 1);
    case 'even':
      return t('Its map is the same at every patch, so that it has no order.');
    default:
      return unreachable(withoutOrder);
  }
}

/** What is said of the latents that were tested, with its rule. */
export function faithfulnessVerdict({ layer, latents, fractions }: Result): {
  sentence: string;
  rule: string;
} {
  const rule = t(
    'A map counts as more faithful than random orders if its score on the next state lies above 0 with its whole interval. A map without an order has no score.',
  );
  if (latents.length === 0) return { sentence: t('Nothing was tested yet.'), rule };
  const without = (why: Tested['withoutOrder']): number =>
    latents.filter(({ withoutOrder }) => withoutOrder === why).length;
  const [blind, even] = [without('no-look'), without('even')];
  const parts = [
    scoredText(
      latents.flatMap(({ withoutOrder, state }) =>
        withoutOrder === undefined ? [scoresOf(state, fractions.data)] : [],
      ),
    ),
    blind > 0 &&
      t(
        'No score for {0} of {1} latents: they look at no picture (their attention on it is 0 in layer {2}).',
        blind,
        latents.length,
        layer + 1,
      ),
    even > 0 &&
      t(
        'No score for {0} of {1} latents: their map is the same at every patch, so that it has no order.',
        even,
        latents.length,
      ),
  ];
  return { sentence: parts.filter((part) => typeof part === 'string').join(' '), rule };
}

/** Undefined of no latents. */
function scoredText(scores: readonly CurveScores[]): string | undefined {
  if (scores.length === 0) return undefined;
  const better = scores.filter(({ map }) => map!.low > 0);
  const beyondSink = better.filter(({ map, sink }) => sink !== undefined && map!.value > sink.value).length;
  return t(
    'The map tells better than chance which patches the next state depends on for {0} of {1} latents, better than the common sink for {2}.',
    better.length,
    scores.length,
    beyondSink,
  );
}
