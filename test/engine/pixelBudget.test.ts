/** How large a picture a run shows to the model, and what becomes of one that is too large. */

import { afterAll, expect, it } from 'vitest';
import { messageOf } from '../../src/base/errors.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Model } from '../../src/inference/model.ts';
import { changedModel } from '../fixtures/changedModel.ts';
import { reasonRun } from '../fixtures/reasonRun.ts';
import { reopened } from '../fixtures/reopened.ts';

const models: Model[] = [];
afterAll(async () => {
  for (const model of models) await model.release();
});

async function modelWith(processor: object): Promise<Model> {
  const model = await Model.open(await openCheckpoint(await changedModel({ processor })), 'cpu');
  models.push(model);
  return model;
}

it('a run reduces a picture to the budget that is asked for, and its trace says so', async () => {
  const { trace, container, error } = await reasonRun(await modelWith({}), {
    maxPixels: 5_000,
    maxTokens: 3,
  });
  expect(error).toBeUndefined();
  const { trace: read } = await reopened({ trace: trace!, container });
  expect(read.settings).toMatchObject({ minPixels: 5_000, maxPixels: 5_000 });
  // Of 96 × 96 pixels; two tokens of 28 are the most on a side that stays within.
  expect(read.pictures[0]!.resized).toEqual({ width: 56, height: 56 });
  expect(read.pictures[0]!.range!.count).toBe(4);
});

it("without one it is the checkpoint's own", async () => {
  const { trace } = await reasonRun(await modelWith({}), { maxTokens: 1 });
  expect(trace!.settings).toMatchObject({ minPixels: 28_000, maxPixels: 28_300 });
});

it('a processor that enlarges beyond what fits is refused before a picture is decoded, and runs with a budget', async () => {
  const model = await modelWith({ min_pixels: 50_000_000, max_pixels: 50_000_000 });
  const { trace, error } = await reasonRun(model, {});
  expect(messageOf(error)).toMatch(/too long.*64009 are pictures.*pixel budget to \d+ or less/s);
  expect(trace!.pictures).toEqual([]);
  const again = await reasonRun(model, { maxPixels: 28_300, maxTokens: 1 });
  expect(again.error).toBeUndefined();
});
