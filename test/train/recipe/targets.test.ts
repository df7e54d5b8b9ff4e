/** What supervises latents when the teacher's selection does not. */

import { expect, it } from 'vitest';
import { seededNumbers } from '../../../src/base/random.ts';
import { targetsOf } from '../../../src/train/recipe/targets.ts';

const CANDIDATES = [1, 2, 3, 4, 5, 6].map((value) => Float32Array.of(value, -value));
const first = (vectors: Float32Array[]): number[] => vectors.map((vector) => vector[0]!);

it('selected: what was selected, in its order', () => {
  expect(first(targetsOf('selected', CANDIDATES, [4, 0], 3, Math.random))).toEqual([5, 1]);
});

it('mean: contiguous runs averaged, however few candidates there are', () => {
  expect(first(targetsOf('mean', CANDIDATES, [], 3, Math.random))).toEqual([1.5, 3.5, 5.5]);
  expect(first(targetsOf('mean', CANDIDATES, [], 4, Math.random))).toEqual([1, 2.5, 4, 5.5]);
  expect(first(targetsOf('mean', CANDIDATES.slice(0, 2), [], 3, Math.random))).toEqual([1, 2]);
});

it('none: nothing', () => {
  expect(targetsOf('none', CANDIDATES, [4, 0], 3, Math.random)).toEqual([]);
});

it('random: some candidates, none twice, the same for the same numbers', () => {
  const draw = (seed: number): number[] => first(targetsOf('random', CANDIDATES, [], 4, seededNumbers(seed)));
  expect(new Set(draw(1)).size).toBe(4);
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
});
