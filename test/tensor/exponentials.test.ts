import { expect, it } from 'vitest';
import { sumOfExponentials } from '../../src/tensor/exponentials.ts';
import { seededNumbers } from '../../src/base/random.ts';

it.each([0.01, 1, 30, 200, 1e6])('sums exponentials of numbers up to %d below the largest', (range) => {
  const random = seededNumbers(1);
  const values = Float32Array.from({ length: 2000 }, () => 7 - random() * range);
  const largest = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const expected = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  expect(Math.abs(sumOfExponentials(values, largest) / expected - 1)).toBeLessThan(2e-12);
});

it('takes each by itself as exactly, and nothing where nothing is left', () => {
  for (let x = 0; x > -80; x -= 0.37) {
    const value = Float32Array.of(x);
    expect(Math.abs(sumOfExponentials(value, 0) / Math.exp(value[0]!) - 1)).toBeLessThan(2e-12);
  }
  expect(sumOfExponentials(Float32Array.of(0, -Infinity, -1e30, -100), 0)).toBe(1);
});
