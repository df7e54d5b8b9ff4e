import { expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { quantised } from '../../src/quantise/quantised.ts';
import {
  adapterFolder,
  factorsOf,
  randomTensor,
  smallFolder,
  type Tensors,
} from '../fixtures/smallCheckpoint.ts';
import { folderOf } from '../checkpoint/support.ts';

test('adapters share the cache of their model unless they come with whole weights', async () => {
  const [model, caches] = [await smallFolder(), await folderOf({})];
  const factors = factorsOf(1, 'model.layers.0.self_attn.q_proj', 32, 32);
  const whole: Tensors = new Map([
    ...factors,
    ['base_model.model.lm_head.weight', randomTensor(2, [512, 32])],
  ]);
  const fileOf = async (adapter?: Tensors): Promise<string> => {
    const folder = adapter && (await adapterFolder({ tensors: adapter }));
    const checkpoint = await openCheckpoint(model, { adapter: folder });
    return (await quantised(checkpoint, '8bit', caches)).cache.file;
  };
  const own = await fileOf();
  expect(await fileOf(factors)).toBe(own);
  expect(await fileOf(whole)).not.toBe(own);
});
