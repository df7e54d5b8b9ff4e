/**
 * Sums of exponentials over a vocabulary: for its 150,000 numbers Math.exp takes 2 to 3 ms, a tenth of a token of a 0.5B. A
 * power of two from a table and a short series for what is left take a third of that (docs/log.md).
 */

/** Steps of a power of two; a rest below one of them is left to a series. */
const STEPS = 64;
/** Beyond 2⁻¹²⁸ nothing counts beside a sum of at least 1. */
const FARTHEST = 128 * STEPS;
/** 2^(-i / STEPS) */
const POWERS = Float64Array.from({ length: FARTHEST }, (_, i) => 2 ** (-i / STEPS));
const PER_STEP = STEPS * Math.LOG2E;
const REST = Math.LN2 / STEPS;
const SIXTH = 1 / 6;
const TWENTY_FOURTH = 1 / 24;

/**
 * Σ exp(x - largest), to two parts in 10¹².
 * @param largest of the values; -Infinity among them counts as 0
 */
export function sumOfExponentials(values: Float32Array, largest: number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const steps = (largest - values[i]!) * PER_STEP;
    if (!(steps < FARTHEST)) continue;
    const whole = steps | 0;
    const r = (whole - steps) * REST;
    sum += POWERS[whole]! * (1 + r * (1 + r * (0.5 + r * (SIXTH + r * TWENTY_FOURTH))));
  }
  return sum;
}
