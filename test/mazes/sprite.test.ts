import { describe, expect, it } from 'vitest';
import { randomFor } from '../../src/base/random.ts';
import { area, bent, box, disc, moved, polygon, type Sprite } from '../../src/mazes/sprite.ts';

/** A thing of two parts with more room below it than above. */
const THING: Sprite = [box(0.2, 0.03, 0.5, 0.6, [0, 0, 0]), disc(0.45, 0.3, 0.1, [255, 0, 0])];
const SEEDS = Array.from({ length: 50 }, (_, seed) => randomFor('sprite', seed));

const pointsOf = (sprite: Sprite): number[] => sprite.flatMap(({ points }) => points);
const differences = (sprite: Sprite): number[] =>
  pointsOf(sprite).map((value, i) => value - pointsOf(THING)[i]!);

describe('a moved sprite', () => {
  const each = SEEDS.map((random) => moved(random, THING));

  it('keeps its shape and stays in its cell, at most 8 % off its place', () => {
    for (const sprite of each) {
      const shifts = differences(sprite);
      for (const axis of [0, 1]) {
        const along = shifts.filter((_, i) => i % 2 === axis);
        expect(Math.max(...along) - Math.min(...along)).toBeLessThan(1e-12);
      }
      expect(Math.max(...shifts.map(Math.abs))).toBeLessThanOrEqual(0.08 + 1e-12);
      expect(Math.min(...pointsOf(sprite))).toBeGreaterThanOrEqual(0);
      expect(Math.max(...pointsOf(sprite))).toBeLessThanOrEqual(1);
    }
  });

  it('goes to every side', () => {
    const first = each.map((sprite) => differences(sprite).slice(0, 2));
    for (const axis of [0, 1])
      expect(new Set(first.map((shift) => Math.sign(shift[axis]!)))).toEqual(new Set([-1, 1]));
  });
});

it('a bent sprite has every corner within 3.5 % of where it was, and not all by the same', () => {
  for (const random of SEEDS) {
    const shifts = differences(bent(random, THING));
    expect(Math.max(...shifts.map(Math.abs))).toBeLessThanOrEqual(0.035);
    expect(new Set(shifts).size).toBeGreaterThan(3);
  }
});

it.each([
  ['a box', box(0.1, 0.2, 0.5, 0.4, [0, 0, 0]), 0.2],
  ['a triangle, either way round', polygon([0, 0, 1, 0, 0, 1], [0, 0, 0]), 0.5],
  ['a triangle, either way round', polygon([0, 1, 1, 0, 0, 0], [0, 0, 0]), 0.5],
])('%s has the area of geometry', (_, shape, expected) => {
  expect(area(shape)).toBeCloseTo(expected, 12);
});
