import { describe, expect, it } from 'vitest';
import { mcNemarExact, pairedDifference, wilsonInterval } from '../../src/dataset/statistics.ts';

describe("McNemar's exact test", () => {
  // Exact fractions, computed with Python's Fraction and comb.
  it.each([
    [0, 0, 1],
    [0, 5, 0.0625],
    [1, 7, 0.0703125],
    [1, 9, 0.021484375],
    [5, 5, 1],
    [6, 16, 0.052478790283203125],
    [10, 25, 0.01667384780012071],
    [121, 59, 4.434449263755176e-6],
    [400, 500, 0.0009564441369189461],
    [3000, 3200, 0.011488253770871206],
  ])('of %i against %i gives p = %d', (a, b, p) => {
    expect(mcNemarExact(a, b) / p).toBeCloseTo(1, 9);
    expect(mcNemarExact(b, a)).toBe(mcNemarExact(a, b));
  });
});

describe('the interval of a paired difference', () => {
  // Published by Newcombe (1998) for his method 10; the last by Fagerland et al. for data of Bentur et al. (2009).
  it.each([
    [36, 12, 2, 0, 0.0569, 0.3404],
    [18, 12, 2, 18, 0.0562, 0.329],
    [53, 0, 0, 1, -0.0729, 0.0729],
    [1, 1, 7, 12, -0.507, -0.026],
  ])(
    'of %i both, %i the one, %i the other, %i neither is %d to %d',
    (both, onlyB, onlyA, neither, low, high) => {
      const found = pairedDifference({ both, onlyA, onlyB, neither });
      expect(Math.abs(found.low - low)).toBeLessThan(6e-4);
      expect(Math.abs(found.high - high)).toBeLessThan(6e-4);
    },
  );

  it('turns around with the two, stays within -1 and 1, and says nothing of no samples', () => {
    const there = pairedDifference({ both: 3, onlyA: 4, onlyB: 1, neither: 2 });
    const back = pairedDifference({ both: 3, onlyA: 1, onlyB: 4, neither: 2 });
    expect(back.low).toBeCloseTo(-there.high, 12);
    expect(back.high).toBeCloseTo(-there.low, 12);
    for (const counts of [
      { both: 0, onlyA: 0, onlyB: 1, neither: 0 },
      { both: 1, onlyA: 0, onlyB: 0, neither: 0 },
      { both: 0, onlyA: 9, onlyB: 0, neither: 0 },
    ]) {
      const { low, high, difference } = pairedDifference(counts);
      expect([-1 <= low, low <= difference, difference <= high, high <= 1]).toEqual([true, true, true, true]);
    }
    const none = pairedDifference({ both: 0, onlyA: 0, onlyB: 0, neither: 0 });
    expect(none).toEqual({ difference: 0, low: -1, high: 1 });
  });
});

describe("Wilson's interval", () => {
  // Published by Newcombe (1998), Statistics in Medicine 17, p. 857, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('of %i among %i is %d to %d', (successes, samples, low, high) => {
    const found = wilsonInterval(successes, samples);
    expect(Math.abs(found.low - low)).toBeLessThan(5.1e-5);
    expect(Math.abs(found.high - high)).toBeLessThan(5.1e-5);
  });

  it('begins at 0 for none and ends at 1 for all, without the rest that rounding leaves', () => {
    for (let samples = 1; samples <= 200; samples++) {
      expect(wilsonInterval(0, samples).low).toBe(0);
      expect(wilsonInterval(samples, samples).high).toBe(1);
    }
  });
});
