import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { seededNumbers } from '../../src/base/random.ts';
import { largestDifference } from '../../src/conformance/check.ts';
import { Tower } from '../../src/inference/tower.ts';
import type { VisionConfig } from '../../src/model/config.ts';
import type { Provider } from '../../src/ort/session.ts';
import { pixelsPerPatch } from '../../src/model/vision.ts';
import { patchesPerRun } from '../../src/model/windows.ts';
import { DEVICES } from '../onnx/devices.ts';
import { randomWeights } from '../fixtures/randomWeights.ts';

const CONFIG: VisionConfig = {
  base: 'qwen2.5-vl',
  depth: 4,
  hiddenSize: 32,
  heads: 2,
  feedForwardSize: 48,
  outputSize: 24,
  inChannels: 3,
  patchSize: 4,
  temporalPatchSize: 2,
  mergeSize: 2,
  windowSize: 32,
  fullAttentionBlocks: [1, 3],
  normEpsilon: 1e-6,
  ropeTheta: 10000,
};

const folder = mkdtempSync(join(tmpdir(), 'ilvr-tower-'));
const weights = randomWeights(join(folder, 'weights'), 200_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function picture(height: number, width: number): [Float32Array, { height: number; width: number }] {
  const random = seededNumbers(height * 1000 + width);
  const count = height * width * pixelsPerPatch(CONFIG);
  return [Float32Array.from({ length: count }, () => 2 * random() - 1), { height, width }];
}

/** Largest difference between the features of a picture as a whole and in parts of several sizes. */
async function differences(
  config: VisionConfig,
  provider: Provider,
  sizes: readonly number[],
): Promise<number[]> {
  const tower = await Tower.open(config, weights, { provider, weightsFolder: folder });
  try {
    const [pixels, grid] = picture(18, 26);
    const whole = await tower.encode(pixels, grid);
    expect(whole.shape).toEqual([117, 24]);
    const found: number[] = [];
    for (const maxPatches of sizes) {
      const inParts = await tower.encode(pixels, grid, { maxPatches });
      expect(inParts.shape).toEqual(whole.shape);
      found.push(largestDifference(inParts.data, whole.data));
    }
    return found;
  } finally {
    await tower.release();
  }
}

describe('a picture in parts has the features of the whole', () => {
  it.each([
    ['windows and full attention', {}],
    ['full attention in every block', { fullAttentionBlocks: [0, 1, 2, 3] }],
    ['windows only', { fullAttentionBlocks: [] }],
    // As a config may have it: in disorder, twice, beyond the depth.
    ['blocks named oddly', { fullAttentionBlocks: [3, 1, 1, 7, -1] }],
  ])('with %s', async (_, blocks) => {
    const found = await differences({ ...CONFIG, ...blocks }, 'cpu', [1, 100, 200, 1000]);
    expect(Math.max(...found)).toBeLessThan(1e-5);
  });

  it.runIf(DEVICES.some(({ device, available }) => device === 'webgpu' && available))(
    'on WebGPU',
    async () => {
      expect(Math.max(...(await differences(CONFIG, 'webgpu', [200])))).toBeLessThan(1e-5);
    },
    600_000,
  );
});

it('reading in parts can be stopped between any two runs, and the tower goes on after', async () => {
  const tower = await Tower.open(CONFIG, weights, { provider: 'cpu', weightsFolder: folder });
  const [pixels, grid] = picture(18, 26);
  const whole = await tower.encode(pixels, grid);
  const shares: number[] = [];
  const onRun = async (done: number): Promise<void> => {
    shares.push(done);
    if (shares.length === 20) throw new Error('stopped here');
  };
  await expect(tower.encode(pixels, grid, { maxPatches: 1, onRun })).rejects.toThrow('stopped here');
  // 3 × 4 windows one by one, three stretches.
  expect(shares).toEqual(Array.from({ length: 20 }, (_, i) => i / 36));
  const again = await tower.encode(pixels, grid, { maxPatches: 1 });
  expect(largestDifference(again.data, whole.data)).toBeLessThan(1e-5);
  await tower.release();
});

it('the scores of one run are bounded as the picture grows', () => {
  for (let side = 2; side <= 300; side += 2) {
    const patches = side * side;
    const scores = patchesPerRun({ height: side, width: side }) * patches;
    expect(scores).toBeLessThanOrEqual(Math.max(4096 * 4096, 256 * patches));
  }
  // 12.8 megapixels: 64 MiB a head in place of 17 GB.
  expect(patchesPerRun({ height: 256, width: 256 }) * 65_536 * 4).toBe(2 ** 26);
});
