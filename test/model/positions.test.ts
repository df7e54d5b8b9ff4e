import { describe, expect, it } from 'vitest';
import type { VisionConfig } from '../../src/model/config.ts';
import { mropePositions, patchCoordinates, windowsOf } from '../../src/model/positions.ts';

const VISION: VisionConfig = {
  depth: 2,
  hiddenSize: 64,
  heads: 4,
  feedForwardSize: 128,
  outputSize: 128,
  inChannels: 3,
  patchSize: 14,
  temporalPatchSize: 2,
  mergeSize: 2,
  windowSize: 112,
  fullAttentionBlocks: [1],
  normEpsilon: 1e-6,
  ropeTheta: 10000,
};

describe.each([
  [8, 8],
  [10, 6],
  [18, 18],
  [2, 30],
])('windows of %i × %i patches', (height, width) => {
  const grid = { height, width };
  const { slots, places, mask, count } = windowsOf(VISION, grid);

  it('hold every patch once, and padding is masked', () => {
    const used = [...slots].filter((_, slot) => mask[slot] === 0).map(Number);
    expect(used.toSorted((a, b) => a - b)).toEqual(Array.from({ length: height * width }, (_, i) => i));
    expect(slots.length).toBe(count * 64);
  });

  it('give each patch back its own place', () => {
    places.forEach((slot, patch) => expect(Number(slots[Number(slot)])).toBe(patch));
  });

  it('join patches of the same 112-pixel square only', () => {
    const coordinates = patchCoordinates(grid, 2);
    places.forEach((slot, patch) => {
      const { row, column } = coordinates[patch]!;
      const first = coordinates[Number(slots[Math.floor(Number(slot) / 64) * 64])]!;
      expect([row >> 3, column >> 3]).toEqual([first.row >> 3, first.column >> 3]);
    });
  });
});

it('text advances all axes, a picture keeps its time, and text goes on after its larger side', () => {
  const pad = 9;
  const ids = [1, ...new Array<number>(6).fill(pad), 2];
  const { positions, delta } = mropePositions(ids, pad, [{ height: 4, width: 6 }], 2);
  expect(positions).toEqual([
    [0, 0, 0],
    [1, 1, 1],
    [1, 1, 2],
    [1, 1, 3],
    [1, 2, 1],
    [1, 2, 2],
    [1, 2, 3],
    [4, 4, 4],
  ]);
  expect(delta).toBe(5 - ids.length);
});
