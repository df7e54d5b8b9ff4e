/** What a run makes of the checkpoint's generation_config.json, and what it says of it. */

import { afterAll, expect, it } from 'vitest';
import { messageOf } from '../../src/base/errors.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Model } from '../../src/inference/model.ts';
import type { ReasonRequest } from '../../src/protocol/engine.ts';
import type { Trace } from '../../src/trace/schema.ts';
import { changedModel } from '../fixtures/changedModel.ts';
import { completeRun } from '../fixtures/reasonRun.ts';
import { reopened } from '../fixtures/reopened.ts';

const models: Model[] = [];
afterAll(async () => {
  for (const model of models) await model.release();
});

async function run(generation: object, request: Partial<ReasonRequest> = {}): Promise<Trace> {
  const model = await Model.open(await openCheckpoint(await changedModel({ generation })), 'cpu');
  models.push(model);
  const opened = await completeRun(model, { maxTokens: 12, ...request });
  return (await reopened(opened)).trace;
}

const ids = (trace: Trace): number[] => trace.tokens.map(({ id }) => id);

it('says nothing of a checkpoint that asks for nothing special', async () => {
  expect((await run({})).settings).not.toHaveProperty('notes');
});

it('says which of its words the model was never asked, and answers', async () => {
  const trace = await run({}, { question: 'Find a quick path to the goal.' });
  expect(trace.settings.notes).toEqual([expect.stringContaining('had “quick”.')]);
  expect(trace.status).toBe('complete');
});

it('obeys its rules, and says so', async () => {
  const plain = ids(await run({}));
  const trace = await run({ suppress_tokens: [plain[0]], no_repeat_ngram_size: 1 });
  const words = trace.tokens.filter(({ kind }) => kind === 'text').map(({ id }) => id);
  expect(words).not.toContain(plain[0]);
  expect(new Set(words).size).toBe(words.length);
  expect(trace.settings.notes).toEqual([
    `Obeyed from the checkpoint's generation_config.json: suppress_tokens [${plain[0]}], no_repeat_ngram_size 1.`,
  ]);
});

it('says which settings it does not use, and goes on as without them', async () => {
  const trace = await run({ num_beams: 4, penalty_alpha: 0.6, max_new_tokens: 3 });
  expect(trace.settings.notes).toEqual([
    "Not used from the checkpoint's generation_config.json: num_beams 4, penalty_alpha 0.6, max_new_tokens 3.",
  ]);
  expect(ids(trace)).toEqual(ids(await run({})));
});

it('says that it is greedy where the makers draw, but not where their temperature makes that the same', async () => {
  const makers = { do_sample: true, temperature: 0.7, top_p: 0.8, top_k: 20 };
  expect((await run(makers)).settings.notes).toEqual([
    'The checkpoint is published with sampling (temperature 0.7, top_p 0.8, top_k 20). This run is greedy.',
  ]);
  expect((await run({ ...makers, temperature: 1e-6 })).settings).not.toHaveProperty('notes');
});

it("draws as the makers' rules say when asked to draw", async () => {
  const trace = await run({ do_sample: true, top_k: 1 }, { temperature: 3 });
  expect(ids(trace)).toEqual(ids(await run({})));
  expect(trace.settings.notes).toEqual(["Obeyed from the checkpoint's generation_config.json: top_k 1."]);
});

it('refuses a forced token and latents that the model cannot take', async () => {
  const refused = (request: Partial<ReasonRequest>): Promise<unknown> => run({}, request).catch(messageOf);
  const swap = (...vectors: number[][]): Partial<ReasonRequest> => ({
    intervention: { kind: 'swap', latents: vectors.map((vector) => Float32Array.from(vector)) },
  });
  expect(await refused({ force: { 3: 512 } })).toMatch(/forced at 3 .* below 512, found 512/);
  expect(await refused(swap([1, 2]))).toMatch(/expected 192 finite numbers each, found 2 numbers/);
  const broken = new Array<number>(192).fill(NaN);
  expect(await refused(swap(broken))).toMatch(/NaN or infinity/);
});
