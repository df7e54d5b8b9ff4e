import { expect, it } from 'vitest';
import { withBudget } from '../../../src/checkpoint/pixels/budget.ts';
import { parseProcessorConfig } from '../../../src/checkpoint/defaults.ts';
import { planPicture } from '../../../src/checkpoint/pixels/smartResize.ts';
import { expectUserError } from '../support.ts';

const own = parseProcessorConfig({ min_pixels: 200_000, max_pixels: 1_000_000 }, 'here', 'qwen2.5-vl');
const bounds = (budget: Parameters<typeof withBudget>[1]): number[] => {
  const { minPixels, maxPixels } = withBudget(own, budget);
  return [minPixels, maxPixels];
};

it('bounds that are given take the place of those of the checkpoint, and move the other one along', () => {
  expect(bounds({})).toEqual([200_000, 1_000_000]);
  expect(bounds({ maxPixels: 500_000 })).toEqual([200_000, 500_000]);
  expect(bounds({ maxPixels: 100_000 })).toEqual([100_000, 100_000]);
  expect(bounds({ minPixels: 3_000_000 })).toEqual([3_000_000, 3_000_000]);
  expect(bounds({ minPixels: 5, maxPixels: 9_000_000 })).toEqual([5, 9_000_000]);
});

it('a picture becomes as large as the budget says', () => {
  const area = (maxPixels: number): number => {
    const { resized } = planPicture({ width: 4032, height: 3024 }, withBudget(own, { maxPixels }));
    return resized.width * resized.height;
  };
  expect(area(500_000)).toBeLessThanOrEqual(500_000);
  expect(area(500_000)).toBeGreaterThan(400_000);
  // One merged token, whatever is asked for.
  expect(area(1)).toBe(28 * 28);
});

it('an empty budget is refused', () =>
  expectUserError(() => withBudget(own, { minPixels: 10, maxPixels: 9 }), 'from 10 to 9 pixels'));

it.each([0, -1, 1.5, NaN, Infinity])('%s is no budget', (maxPixels) =>
  expectUserError(() => withBudget(own, { maxPixels }), 'a whole number', `maxPixels ${maxPixels}`),
);
