import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { PictureMemory } from '../../src/engine/pictureMemory.ts';
import type { RunMemory } from '../../src/engine/runContext.ts';
import { Model } from '../../src/inference/model.ts';
import { PromptMemory } from '../../src/inference/promptMemory.ts';
import { bundledModel, exampleImage } from '../fixtures/paths.ts';
import { completeRun } from '../fixtures/reasonRun.ts';

let model: Model;
beforeAll(async () => {
  model = await Model.open(await openCheckpoint(bundledModel), 'cpu');
});
afterAll(() => model.release());

const newMemory = (): RunMemory => ({ prompt: new PromptMemory(), pictures: new PictureMemory() });

/** All that a trace says of an answer, its arrays by their hashes. */
function answerOf({ trace }: Awaited<ReturnType<typeof completeRun>>) {
  const { prompt, pictures, tokens, blocks, latents } = trace;
  return JSON.stringify({ prompt, pictures, tokens, blocks, latents });
}

it('a run again with another setting encodes no picture and reads no position, with equal numbers', async () => {
  const memory = newMemory();
  const first = await completeRun(model, { memory, seed: 1 });
  const again = await completeRun(model, { memory, temperature: 0.5, seed: 2 });
  const fresh = await completeRun(model, { temperature: 0.5, seed: 2 });
  const positions = first.trace.prompt.ids.length;
  expect(first.trace.timings.map(({ name }) => name)).toEqual([
    'encode pictures',
    'read prompt',
    'generate',
    'total',
  ]);
  expect(again.trace.timings.map(({ name }) => name)).toEqual([
    'encode pictures, reused 1 of 1 pictures',
    `read prompt, reused ${positions} of ${positions} positions`,
    'generate',
    'total',
  ]);
  expect(answerOf(again)).toEqual(answerOf(fresh));
  memory.prompt.forget();
});

it('a picture that stands twice in a request is encoded once, one under another pixel budget anew', async () => {
  const memory = newMemory();
  const picture = { name: 'map', bytes: readFileSync(exampleImage) };
  let encoded = 0;
  const counting = new Proxy(model, {
    get(target, name) {
      if (name === 'encodeImage') encoded++;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  await completeRun(counting, { memory, images: [picture, { ...picture, name: 'again' }], maxTokens: 1 });
  expect(encoded).toBe(1);
  await completeRun(counting, { memory, images: [picture], maxPixels: 28 * 28 * 4, maxTokens: 1 });
  expect(encoded).toBe(2);
  memory.prompt.forget();
});
