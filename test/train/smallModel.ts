/** A checkpoint with the bundled model's tokenizer and a small language model of random weights. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { seededNumbers } from '../../src/base/random.ts';
import { openCheckpoint, type Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { withLatentSize, type TextConfig } from '../../src/model/config.ts';
import { sizeOf } from '../../src/tensor/array.ts';
import type { Picture } from '../../src/train/data/sequence.ts';
import { bundledModel } from '../fixtures/paths.ts';
import { randomWeights } from '../fixtures/randomWeights.ts';

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
  const weights = {
    ...checkpoint.weights,
    root: folder,
    ...randomWeights(join(folder, 'weights'), 2_500_000),
  };
  return { ...checkpoint, config: withLatentSize({ ...checkpoint.config, text }, 3), weights };
}

/** 2 × 3 merged tokens of random features. */
export function randomPicture({ config }: Checkpoint, seed: number): Picture {
  const random = seededNumbers(seed);
  const shape = [6, config.text.hiddenSize];
  const data = Float32Array.from({ length: sizeOf(shape) }, () => random() - 0.5);
  return { grid: { height: 4, width: 6 }, features: { shape, data } };
}
