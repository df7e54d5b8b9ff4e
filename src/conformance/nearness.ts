/**
 * How near an answer must come, by the format of the weights. In float32 every single number is held against a tolerance.
 * Fewer bits change all numbers a little, so that the distance of all together counts, by their length; and words are those of
 * the answers, as a choice between two that are nearly alike says nothing. The tolerances are about one and a half times the
 * most that a right build was measured to have on small random weights, which few bits change most (docs/log.md).
 */

import type { WeightFormat } from '../tensor/weightFormat.ts';
import { compare, toleranceOf, type Measure, type Rounding } from './check.ts';

export const TOLERANCE = 1e-3;

/**
 * Most distances: of the tower's features, and of logits, states and latents, ‖b − a‖ / ‖a‖; of attention the mean total
 * variation of a row. The tower has 8 bits in every scheme. Those of float16 were not measured.
 */
interface Distances {
  features: number;
  vectors: number;
  attention: number;
}

const DISTANCES: Record<Exclude<WeightFormat, 'float32'>, Distances> = {
  float16: { features: 0.01, vectors: 0.01, attention: 0.01 },
  '8bit': { features: 0.04, vectors: 0.11, attention: 0.08 },
  '4bit': { features: 0.04, vectors: 0.5, attention: 0.25 },
  '4bit-fast': { features: 0.04, vectors: 0.5, attention: 0.25 },
};

export interface Nearness {
  /** Whether runs are given the answers' ids. */
  forcesIds: boolean;
  /** Of all this is held to, for people; undefined in float32. */
  told?: string;
  /**
   * @param rounding what the case tells of its own answers
   * @param kinds other names under which it may tell it
   */
  measure: (
    what: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    rounding: Rounding,
    ...kinds: string[]
  ) => Measure;
}

export function nearnessOf(format: WeightFormat): Nearness {
  if (format === 'float32') {
    return {
      forcesIds: false,
      measure: (what, actual, expected, rounding, ...kinds) =>
        compare(what, actual, expected, toleranceOf(TOLERANCE, rounding, what, ...kinds)),
    };
  }
  const { features, vectors, attention } = DISTANCES[format];
  return {
    forcesIds: true,
    told: `distances up to ${100 * features} % of features, ${100 * vectors} % of states, latents and logits, ${100 * attention} % of attention; words are the answers' own`,
    measure: (what, actual, expected) => {
      const isAttention = what.includes('attention');
      const error = isAttention ? meanVariation(actual, expected) : relativeDistance(actual, expected);
      const tolerance = isAttention ? attention : what === 'image_features' ? features : vectors;
      return { what, error, tolerance, values: expected.length };
    },
  };
}

/** ‖actual − expected‖ / ‖expected‖; infinite where lengths differ or a value is not a number. */
function relativeDistance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [error, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  return known(actual, expected, error === 0 ? 0 : Math.sqrt(error / size));
}

/** Of rows that sum to 1, how many there are being their sum: the share that lies elsewhere. */
function meanVariation(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [apart, rows] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    apart += Math.abs(actual[i]! - expected[i]!) / 2;
    rows += expected[i]!;
  }
  return known(actual, expected, apart === 0 ? 0 : apart / rows);
}

function known(actual: ArrayLike<number>, expected: ArrayLike<number>, distance: number): number {
  return actual.length !== expected.length || Number.isNaN(distance) ? Infinity : distance;
}
