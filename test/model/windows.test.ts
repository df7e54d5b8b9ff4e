import { describe, expect, it } from 'vitest';
import type { VisionConfig } from '../../src/model/config.ts';
import { patchCoordinates } from '../../src/model/positions.ts';
import { pictureParts } from '../../src/model/windows.ts';

const VISION: VisionConfig = {
  base: 'qwen2.5-vl',
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

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe.each([
  [8, 8],
  [10, 6],
  [18, 18],
  [2, 30],
])('windows of %i × %i patches', (height, width) => {
  const grid = { height, width };
  const parts = pictureParts(VISION, grid);
  const [{ patches, slots, places, mask, windows }] = parts as [(typeof parts)[0]];

  it('are one part if there is no bound', () => {
    expect(parts.length).toBe(1);
    expect([...patches]).toEqual(range(height * width));
  });

  it('hold every patch once, and padding is masked', () => {
    const used = [...slots].filter((_, slot) => mask[slot] === 0).map(Number);
    expect(used.toSorted((a, b) => a - b)).toEqual(range(height * width));
    expect(slots.length).toBe(windows * 64);
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

  it.each([1, 100, 200])('in parts of at most %i patches are the same windows', (most) => {
    const several = pictureParts(VISION, grid, most);
    expect(several.flatMap((part) => [...part.patches]).toSorted((a, b) => a - b)).toEqual(
      range(height * width),
    );
    expect(several.reduce((sum, part) => sum + part.windows, 0)).toBe(windows);
    const joined = (list: typeof parts): string[] => list.flatMap(windowsIn).toSorted();
    expect(joined(several)).toEqual(joined(parts));
    for (const part of several) {
      expect(part.windows === 1 || part.patches.length <= most).toBe(true);
      // Merged tokens are whole: four neighbours that begin with a multiple of four.
      for (let i = 0; i < part.patches.length; i += 4) {
        const first = part.patches[i]!;
        expect([first % 4, ...part.patches.subarray(i, i + 4)]).toEqual([
          0,
          ...range(4).map((j) => first + j),
        ]);
      }
    }
  });
});

/** Each window of a part as the list of its patches. */
function windowsIn({ patches, slots, mask, windows }: ReturnType<typeof pictureParts>[0]): string[] {
  return range(windows).map((window) =>
    range(64)
      .map((i) => window * 64 + i)
      .filter((slot) => mask[slot] === 0)
      .map((slot) => patches[Number(slots[slot])])
      .join(),
  );
}
