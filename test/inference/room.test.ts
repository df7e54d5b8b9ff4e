import { describe, expect, it } from 'vitest';
import { withBudget } from '../../src/checkpoint/pixels/budget.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { parseProcessorConfig } from '../../src/checkpoint/defaults.ts';
import { checkRoom, checkStep, needsOf, type RoomContext } from '../../src/inference/room.ts';
import { UserError } from '../../src/base/errors.ts';
import { bundledModel } from '../fixtures/paths.ts';

const { config } = await openCheckpoint(bundledModel);
/** Sizes of Qwen2.5-VL 3B, with its makers' pixel budget. */
const REAL: RoomContext = {
  config: {
    ...config,
    text: {
      ...config.text,
      hiddenSize: 2048,
      layers: 36,
      heads: 16,
      kvHeads: 2,
      headSize: 128,
      feedForwardSize: 11_008,
      maxPositions: 128_000,
    },
    vision: {
      ...config.vision,
      depth: 32,
      hiddenSize: 1280,
      heads: 16,
      feedForwardSize: 3420,
      outputSize: 2048,
      fullAttentionBlocks: [7, 15, 23, 31],
    },
  },
  processor: parseProcessorConfig({}, 'here', 'qwen2.5-vl'),
  provider: 'cpu',
  textTokens: 30,
};
const photo = (width: number, height: number) => ({
  name: 'photo.jpg',
  source: { width, height },
  inPrompt: true,
});
const total = (megapixels: number): number => {
  const side = Math.sqrt(megapixels * 1e6);
  return Object.values(needsOf([photo(side, side)], REAL).memory).reduce((sum, bytes) => sum + bytes, 0);
};

function refusal(run: () => void): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message;
  }
  throw new Error('was not refused');
}

describe('what a run will take', () => {
  it('grows with the picture, not with its square', () => {
    expect(total(12) / total(3)).toBeLessThan(5);
    expect(total(12)).toBeLessThan(10e9);
  });

  it('counts patches and tokens of a 12-megapixel photo as the processor makes them', () => {
    expect(needsOf([photo(4032, 3024)], REAL)).toMatchObject({ patches: 62_208, tokens: 15_552 + 30 });
  });

  it('counts one picture at a time in the tower, all of them in the prompt', () => {
    const [one, two] = [1, 2].map((count) =>
      needsOf(
        Array.from({ length: count }, () => photo(1000, 1000)),
        REAL,
      ),
    );
    expect(two!.memory.tower).toBe(one!.memory.tower);
    expect(two!.tokens - 30).toBe(2 * (one!.tokens - 30));
  });
});

describe('a run that does not fit', () => {
  const ask = (available: number) => () => checkRoom([photo(4032, 3024)], REAL, available);

  it('is refused with its size, what there is, and a budget that fits', () => {
    const message = refusal(ask(3e9));
    expect(message).toMatch(/not enough memory/);
    expect(message).toMatch(/at most 3\.0 GB/);
    expect(message).toMatch(/62208 patches and 15582 tokens/);
    expect(message).toMatch(/photo\.jpg, 4032 × 3024/);
    const budget = Number(/pixel budget to (\d+)/.exec(message)![1]);
    const processor = withBudget(REAL.processor, { maxPixels: budget });
    expect(() => checkRoom([photo(4032, 3024)], { ...REAL, processor }, 3e9)).not.toThrow();
    const double = withBudget(REAL.processor, { maxPixels: 2 * budget });
    expect(() => checkRoom([photo(4032, 3024)], { ...REAL, processor: double }, 3e9)).toThrow();
  });

  it('runs where there is enough', () => expect(ask(64e9)).not.toThrow());

  it('is refused without a budget where none would do', () => {
    const message = refusal(ask(1e5));
    expect(message).not.toMatch(/pixel budget to/);
    expect(message).toMatch(/smaller model/);
  });

  it('is refused before any pixel is read where the processor enlarges beyond what the model reads', () => {
    const processor = parseProcessorConfig(
      { min_pixels: 50_000_000, max_pixels: 50_000_000 },
      'here',
      'qwen2.5-vl',
    );
    const message = refusal(() => checkRoom([photo(288, 288)], { ...REAL, config, processor }, 64e9));
    expect(message).toMatch(/too long.*fewer than 4096 tokens.*pixel budget to \d+/s);
  });
});

it('a run ends before a step that no longer fits, and small steps ask nothing', () => {
  const { text } = REAL.config;
  // 36 layers, 16 heads, 15,000 tokens of 4 bytes, three times: computed, passed on, kept.
  expect(() => checkStep(text, 15_000, 36 * 16 * 15_000 * 12)).not.toThrow();
  expect(refusal(() => checkStep(text, 15_000, 36 * 16 * 15_000 * 12 - 1))).toMatch(/104 MB.*15000 tokens/s);
  expect(() => checkStep(text, 100, 0)).not.toThrow();
});
