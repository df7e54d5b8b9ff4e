import { expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Model } from '../../src/inference/model.ts';
import { inFormat } from '../../src/quantise/inFormat.ts';
import { bundledModel } from '../fixtures/paths.ts';

// The CPU widens them again inside the runtime: what is rounded, and that all else stays float32, is the same.
it('a model with float16 weights differs from float32 by the rounding of float16 and no more', async () => {
  const checkpoint = await openCheckpoint(bundledModel);
  const statesOf = async (format: 'float32' | 'float16'): Promise<Float32Array> => {
    const model = await Model.open(await inFormat(checkpoint, format), 'cpu');
    try {
      const ids = Array.from({ length: 12 }, (_, i) => 300 + i);
      const { embeddings, positions } = await model.embedPrompt(ids, []);
      const cache = model.newCache();
      const { hidden } = await model.prefill(cache, embeddings, positions);
      cache.dispose();
      return hidden.data;
    } finally {
      await model.release();
    }
  };
  const [exact, half] = [await statesOf('float32'), await statesOf('float16')];
  let [error, size] = [0, 0];
  exact.forEach((value, i) => {
    error += (half[i]! - value) ** 2;
    size += value ** 2;
  });
  // float16 has 11 bits, a relative rounding of 2⁻¹²; some layers add up a few of these.
  expect(Math.sqrt(error / size)).toBeLessThan(5e-3);
  expect(error).toBeGreaterThan(0);
});
