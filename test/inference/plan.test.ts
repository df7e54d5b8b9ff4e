import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { parseProcessorConfig } from '../../src/checkpoint/defaults.ts';
import { largestWeight, tooLargeForDevice } from '../../src/inference/deviceLimits.ts';
import { needsByFormat, planMemory, planTable, type PlanContext } from '../../src/inference/plan.ts';
import type { WeightFormat } from '../../src/tensor/weightFormat.ts';
import { bundledModel } from '../fixtures/paths.ts';

const { config } = await openCheckpoint(bundledModel);
const VISION = {
  ...config.vision,
  depth: 32,
  hiddenSize: 1280,
  heads: 16,
  feedForwardSize: 3420,
  fullAttentionBlocks: [7, 15, 23, 31],
};

/** Qwen2.5-VL 7B. */
const SEVEN: PlanContext = {
  config: {
    ...config,
    text: {
      ...config.text,
      hiddenSize: 3584,
      layers: 28,
      heads: 28,
      kvHeads: 4,
      headSize: 128,
      feedForwardSize: 18_944,
      vocabularySize: 152_064,
      maxPositions: 128_000,
      tiedEmbeddings: false,
    },
    vision: { ...VISION, outputSize: 3584 },
  },
  processor: parseProcessorConfig({}, 'here', 'qwen2.5-vl'),
  parameterCount: 8_292_166_656,
  provider: 'cpu',
  free: 21e9,
};
/** Of 3B, whose head is its embedding. */
const THREE: PlanContext = {
  ...SEVEN,
  config: {
    ...config,
    text: {
      ...SEVEN.config.text,
      hiddenSize: 2048,
      layers: 36,
      heads: 16,
      kvHeads: 2,
      feedForwardSize: 11_008,
      vocabularySize: 151_936,
      tiedEmbeddings: true,
    },
    vision: { ...VISION, outputSize: 2048 },
  },
  parameterCount: 3_754_622_976,
};

/** The sizes of 0.5B, without a tower to speak of. */
const SMALL_ONE: PlanContext = {
  ...SEVEN,
  config: {
    ...config,
    text: { ...SEVEN.config.text, hiddenSize: 896, layers: 24, feedForwardSize: 4864 },
  },
  parameterCount: 0.9e9,
};

const needs = (context: PlanContext, format: WeightFormat) =>
  needsByFormat(context).find((entry) => entry.format === format)!;

describe('what the weights of a model take', () => {
  it('is what was measured of a random 7B in 8 bits and counted for its float32', () => {
    // Its cache has 7,988,429,784 bytes, a header and all; norms, biases and the patch embedding come on top.
    expect(needs(SEVEN, '8bit').weights / 7.988e9).toBeCloseTo(1, 2);
    // All numbers but the embedding's.
    expect(needs(SEVEN, 'float32').weights).toBeCloseTo(4 * (8_292_166_656 - 152_064 * 3584), -7);
    expect(needs(SEVEN, 'float16').weights / needs(SEVEN, 'float32').weights).toBeCloseTo(0.5, 2);
  });

  it('counts a head that is the embedding, which is held as a matrix', () => {
    expect(needs(THREE, 'float32').weights).toBeCloseTo(4 * 3_754_622_976, -8);
  });
});

describe('the format that is chosen', () => {
  it.each([
    ['8 bits where float32 does not fit', SEVEN, '8bit'],
    ['8 bits of a large model where all would fit: it is faster', { ...THREE, free: 100e9 }, '8bit'],
    ['float32 of a small model', { ...SEVEN, parameterCount: 4e6, config, free: 3e9 }, 'float32'],
    ['8 bits of a large model on a GPU', { ...SEVEN, provider: 'webgpu' as const, free: 1e9 }, '8bit'],
  ])('%s', (_, context, chosen) => {
    expect(planMemory(context, 'auto', 'here').chosen).toBe(chosen);
  });

  it('is said in a sentence with the figures', () => {
    expect(planMemory(SEVEN, 'auto', 'here').reason).toMatch(
      /^8\.3B · 8-bit · 1\d\.\d GB of 21\.0 GB free; float32 would need 3\d\.\d GB$/,
    );
  });

  it('is said to be slower, not impossible, where float32 would fit', () => {
    const { reason } = planMemory({ ...SEVEN, free: 100e9 }, 'auto', 'here');
    expect(reason).toMatch(/float32 would take 3\d\.\d GB and be slower$/);
  });

  it('is opened for small pictures where the usual run does not fit, and says so', () => {
    const free = needs(SEVEN, '8bit').total - 1;
    const plan = planMemory({ ...SEVEN, free }, 'auto', 'here');
    expect(plan.reason).toMatch(/8-bit · 8\.\d GB of 10\.\d GB free, for small pictures only; float32/);
    expect(planTable(plan, 'cpu').find((row) => row.startsWith('→'))).toMatch(/fits with small pictures$/);
  });

  it('is 8 bits of a small model whose usual run fits in no other', () => {
    const free = needs(SMALL_ONE, 'float32').total - 1;
    expect(planMemory({ ...SMALL_ONE, free }, 'auto', 'here').chosen).toBe('8bit');
  });

  it('is what the user asks for', () => {
    expect(planMemory(SEVEN, '4bit', 'here').chosen).toBe('4bit');
  });

  it('is never of 4 bits unasked: it is refused, with what would fit', () => {
    const free = needs(SEVEN, '8bit').least - 1;
    expect(() => planMemory({ ...SEVEN, free }, 'auto', '/models/7b')).toThrow(
      /not enough memory for this model: expected \d+\.\d GB for 8-bit weights.*in \/models\/7b\. What fits: 4bit \(\d\.\d GB\), 4bit-fast/,
    );
  });

  it('is refused where nothing fits, with the least that would', () => {
    expect(() => planMemory({ ...SEVEN, free: 2e9 }, '4bit', 'here')).toThrow(
      /Not even 4-bit weights fit \(\d\.\d GB\)/,
    );
  });

  it('is not float16 on a processor', () => {
    expect(() => planMemory(SEVEN, 'float16', 'here')).toThrow('float16 weights need a GPU');
  });
});

it('more pictures, text and kept attention take more', () => {
  const total = (latents: number, textTokens: number, side: number): number =>
    needs({ ...SEVEN, workload: { latents, textTokens, pictures: [{ width: side, height: side }] } }, '8bit')
      .total;
  const base = total(0, 100, 500);
  expect(total(1, 100, 500)).toBeGreaterThan(base);
  expect(total(0, 200, 500)).toBeGreaterThan(base);
  expect(total(0, 100, 1000)).toBeGreaterThan(base);
});

it('the table has a row for each format and marks the chosen one', () => {
  const table = planTable(planMemory(SEVEN, 'auto', 'here'), 'cpu');
  expect(table).toHaveLength(6);
  expect(table.filter((row) => row.startsWith('→'))).toEqual([expect.stringMatching(/^→ +8bit .*fits$/)]);
  expect(table[1]).toMatch(/float32 .*needs 3\d\.\d GB at least$/);
});

describe('a weight that is larger than a buffer of the GPU may be', () => {
  const { config: seven } = SEVEN;
  const FORMATS = ['float32', '8bit', '4bit'] as const;
  const head = 152_064 * 3584;

  it('is known by name and size', () => {
    expect(largestWeight(seven, 'float32')).toEqual({ name: 'lm_head.weight', bytes: 4 * head });
    expect(largestWeight(seven, '8bit')).toEqual({ name: 'lm_head.weight', bytes: head });
    // The head stays in 8 bits.
    expect(largestWeight(seven, '4bit').bytes).toBe(head);
  });

  it('is refused by name, with the formats in which it fits', () => {
    const said = `Buffer size (${4 * head}) exceeds the max buffer size limit (1073741824). - While creating a buffer`;
    const told = tooLargeForDevice(new Error(said), seven, 'float32', FORMATS);
    expect(told?.message).toMatch(
      /expected 1\.1 GB at most, found lm_head\.weight, 2\.2 GB in float32\. Choose 8bit or 4bit weights/,
    );
    const small = said.replace('1073741824', '268435456');
    expect(tooLargeForDevice(new Error(small), seven, 'float32', FORMATS)?.message).toContain(
      '. Use the CPU',
    );
    expect(tooLargeForDevice(new Error('something else'), seven, 'float32', FORMATS)).toBeUndefined();
  });
});
