/** How far an accuracy can be trusted. */

export interface Interval {
  low: number;
  high: number;
}

/** Normal quantile of a two-sided 95 % interval. */
const Z_95 = 1.959963984540054;

/**
 * Wilson score interval of a share (E. B. Wilson, 1927). Unlike the normal approximation it stays inside
 * [0, 1] and is right for few samples and for shares near 0 or 1.
 *
 *   (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)
 *
 * @returns shares from 0 to 1; everything for no samples
 */
export function wilsonInterval(successes: number, samples: number, z = Z_95): Interval {
  if (samples === 0) return { low: 0, high: 1 };
  const share = successes / samples;
  const square = (z * z) / samples;
  const centre = share + square / 2;
  const half = z * Math.sqrt((share * (1 - share)) / samples + square / (4 * samples));
  // Of none and of all the bound is exact, which rounding would miss.
  return {
    low: successes === 0 ? 0 : Math.max(0, (centre - half) / (1 + square)),
    high: successes === samples ? 1 : Math.min(1, (centre + half) / (1 + square)),
  };
}

/** Two answers to each of some samples: how often which was right. */
export interface PairedCounts {
  both: number;
  onlyA: number;
  onlyB: number;
  neither: number;
}

/**
 * Exact test of McNemar: the probability that one of two equally good systems is ahead by this much or more
 * among the samples on which they differ. Only those count, and each is a fair coin:
 *
 *   p = min(1, 2 Σ_{k ≤ min(a, b)} C(a + b, k) / 2^(a + b))
 *
 * @param onlyA,onlyB samples that only one of the two got right
 * @returns from 0 to 1; 1 where they never differ
 */
export function mcNemarExact(onlyA: number, onlyB: number): number {
  const trials = onlyA + onlyB;
  let logChoose = 0; // of C(trials, 0)
  let sum = 0;
  for (let k = 0; k <= Math.min(onlyA, onlyB); k++) {
    sum += Math.exp(logChoose - trials * Math.LN2);
    logChoose += Math.log((trials - k) / (k + 1));
  }
  return Math.min(1, 2 * sum);
}

/**
 * Interval of the difference of two shares over the same samples, right for few of them and near 0 or 1
 * (R. G. Newcombe, Statistics in Medicine 17, 1998, p. 2635, method 10): both Wilson intervals, joined by how
 * strongly the answers go together.
 * @returns bounds of share B − share A, from -1 to 1; everything for no samples
 */
export function pairedDifference(counts: PairedCounts): Interval & { difference: number } {
  const { both, onlyA, onlyB, neither } = counts;
  const samples = both + onlyA + onlyB + neither;
  if (samples === 0) return { difference: 0, low: -1, high: 1 };
  const [a, b] = [both + onlyA, both + onlyB];
  const [inA, inB] = [wilsonInterval(a, samples), wilsonInterval(b, samples)];
  const [shareA, shareB] = [a / samples, b / samples];
  const phi = correlation(counts, samples);
  const reach = (x: number, y: number): number => Math.sqrt(Math.max(0, x * x - 2 * phi * x * y + y * y));
  const difference = (onlyB - onlyA) / samples;
  return {
    difference,
    low: Math.max(-1, difference - reach(shareB - inB.low, inA.high - shareA)),
    high: Math.min(1, difference + reach(inB.high - shareB, shareA - inA.low)),
  };
}

/** Newcombe's φ, with his correction towards 0 where it is positive. */
function correlation({ both, onlyA, onlyB, neither }: PairedCounts, samples: number): number {
  const product = (both + onlyA) * (onlyB + neither) * (both + onlyB) * (onlyA + neither);
  if (product === 0) return 0;
  const raw = both * neither - onlyA * onlyB;
  return (raw > 0 ? Math.max(0, raw - samples / 2) : raw) / Math.sqrt(product);
}

/** Mean of numbers with ± 1.96 standard errors; for few of them it is too narrow. */
export function meanInterval(values: readonly number[]): Interval & { mean: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, count - 1);
  const reach = Z_95 * Math.sqrt(variance / count);
  return { mean, low: mean - reach, high: mean + reach };
}
