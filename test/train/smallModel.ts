/** A checkpoint with the bundled model's tokenizer and a small language model of random weights. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { seededNumbers } from '../../src/base/random.ts';
import { openCheckpoint, type Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import type { TextConfig } from '../../src/model/config.ts';
import type { WeightSource } from '../../src/model/weightSource.ts';
import { sizeOf } from '../../src/tensor/array.ts';
import type { Picture } from '../../src/train/data/sequence.ts';
import { bundledModel } from '../fixtures/paths.ts';

const SMALL: Partial<TextConfig> = {
  hiddenSize: 16,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headSize: 8,
  feedForwardSize: 24,
  mropeSection: [1, 1, 2],
};

/** For the top level of a test file; its weights are removed after the file's tests. */
export async function smallCheckpoint(): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(bundledModel);
  const text = { ...checkpoint.config.text, ...SMALL };
  const folder = mkdtempSync(join(tmpdir(), 'ilvr-train-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const weights = { ...checkpoint.weights, root: folder, ...randomWeights(join(folder, 'weights')) };
  return { ...checkpoint, config: { ...checkpoint.config, text, latentSize: 3 }, weights };
}

/** 2 × 3 merged tokens of random features. */
export function randomPicture({ config }: Checkpoint, seed: number): Picture {
  const random = seededNumbers(seed);
  const shape = [6, config.text.hiddenSize];
  const data = Float32Array.from({ length: sizeOf(shape) }, () => random() - 0.5);
  return { grid: { height: 4, width: 6 }, features: { shape, data } };
}

/** Whatever is asked for lies in a file of random numbers. */
function randomWeights(file: string): WeightSource {
  const random = seededNumbers(7);
  const places = new Map<string, number>();
  const numbers = Float32Array.from({ length: 2_500_000 }, () => 0.6 * (random() - 0.5));
  writeFileSync(file, new Uint8Array(numbers.buffer));
  let end = 0;
  return {
    get: (name, shape) => {
      const offset = places.get(name) ?? end;
      const length = 4 * sizeOf(shape);
      if (offset === end) end += length;
      if (end > numbers.byteLength) throw new Error('the file of random weights is too short');
      places.set(name, offset);
      return { file, offset, length, dtype: 'F32', shape };
    },
  };
}
