import { expect, test } from 'vitest';
import { normalNumbers } from '../../src/base/random.ts';

const COUNT = 200_000;

test('normal numbers have the moments of N(0, 1), and no number tells of the next', () => {
  const next = normalNumbers(1);
  const drawn = Array.from({ length: COUNT }, next);
  const mean = (of: (x: number, i: number) => number): number =>
    drawn.reduce((sum, x, i) => sum + of(x, i), 0) / COUNT;
  const successor = (i: number): number => drawn[(i + 1) % COUNT]!;

  const moments: [of: (x: number, i: number) => number, expected: number, deviation: number][] = [
    [(x) => x, 0, 1],
    [(x) => x ** 2, 1, Math.sqrt(2)],
    [(x) => x ** 3, 0, Math.sqrt(15)],
    [(x) => x ** 4, 3, Math.sqrt(96)],
    [(x) => Number(Math.abs(x) > 2), 0.0455, Math.sqrt(0.0455 * 0.9545)],
    [(x, i) => x * successor(i), 0, 1],
    [(x, i) => x ** 2 * successor(i) ** 2, 1, Math.sqrt(8)],
  ];
  for (const [of, expected, deviation] of moments) {
    const standardError = deviation / Math.sqrt(COUNT);
    expect(Math.abs(mean(of) - expected)).toBeLessThan(4 * standardError);
  }
});

test('normal numbers of one seed are the same, of two seeds others', () => {
  const drawn = (seed: number): number[] => Array.from({ length: 7 }, normalNumbers(seed));
  expect(drawn(3)).toEqual(drawn(3));
  expect(drawn(3)).not.toEqual(drawn(4));
});
