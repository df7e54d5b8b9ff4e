/** Pace, smoothing and thinning against numbers worked out by hand. */

import { expect, test } from 'vitest';
import type { Metric } from '../../src/watch/metrics.ts';
import { leftOutOf, progressOf, smoothed, timeText } from '../../src/watch/progress.ts';
import { toForget } from '../../src/watch/watched.ts';

/** Metrics whose steps end at the given seconds. */
const at = (...seconds: number[]): Metric[] =>
  seconds.map((second, i) => ({
    step: i + 1,
    losses: {},
    gradientNorm: 1,
    learningRate: 1,
    samplesPerSecond: 4,
    time: new Date(1000 * second).toISOString(),
  }));

test('the time left is by the last steps, and a pause does not count', () => {
  expect(progressOf(at(0, 2, 4, 6), 10)).toEqual({ samplesPerSecond: 4, secondsLeft: 12 });
  expect(progressOf(at(0, 2, 4, 3600, 3602), 10)?.secondsLeft).toBe(10);
  expect(progressOf(at(5), 10)).toEqual({ samplesPerSecond: 4 });
  expect(progressOf(at(0, 2), 1)?.secondsLeft).toBe(0);
  expect(progressOf([], 10)).toBeUndefined();
});

test('steps that were left out are counted among the last fifty, most of them only where there are some', () => {
  const run = (...leftOut: boolean[]): Metric[] =>
    at(...leftOut.keys()).map((metric, i) => ({ ...metric, leftOut: leftOut[i]! }));
  expect(leftOutOf(at(0, 1, 2))).toEqual({ leftOut: 0, of: 3, most: false });
  expect(leftOutOf(run(true, true, true))).toEqual({ leftOut: 3, of: 3, most: false });
  const half = Array.from({ length: 100 }, (_, i) => i >= 75);
  expect(leftOutOf(run(...half))).toEqual({ leftOut: 25, of: 50, most: true });
  expect(leftOutOf(run(...half.slice(0, 99)))).toEqual({ leftOut: 24, of: 50, most: false });
});

test('times are told in their two largest units', () => {
  expect([0.2, 59.5, 75, 3599, 3600, 90_000].map(timeText)).toEqual([
    '1 s',
    '1 min 0 s',
    '1 min 15 s',
    '59 min 59 s',
    '1 h 0 min',
    '25 h 0 min',
  ]);
});

test('smoothing keeps a constant as it is and weighs the past by its share', () => {
  expect(smoothed([3, 3, 3], 0.9)).toEqual([3, 3, 3].map((value) => expect.closeTo(value, 12)));
  // (0.5·0.5·1 + 0.5·4) / (0.25 + 0.5)
  expect(smoothed([1, 4], 0.5)[1]).toBeCloseTo(3, 12);
  expect(smoothed([1, 5, 2], 0)).toEqual([1, 5, 2]);
});

test('looks thin out where they are densest; the first and the last stay', () => {
  expect(toForget([0, 10, 20, 30], 4)).toEqual([]);
  expect(toForget([0, 1, 2, 30, 60], 4)).toEqual([1]);
  const steps = Array.from({ length: 400 }, (_, i) => i * 10);
  const gone = new Set(toForget(steps, 50));
  const kept = steps.filter((step) => !gone.has(step));
  expect(kept).toHaveLength(50);
  expect([kept[0], kept.at(-1)]).toEqual([0, 3990]);
  const gaps = kept.slice(1).map((step, i) => step - kept[i]!);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(160);
});
