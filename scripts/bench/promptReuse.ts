/**
 * Time to the first token of a run again, with and without what is kept of the prompt.
 *
 *   npx tsx scripts/bench/promptReuse.ts MODEL [PIXELS]
 *
 * MODEL: a Hugging Face folder; scripts/randomCheckpoint.ts makes one of real shapes. PIXELS: budget of the picture.
 */

import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { PictureMemory } from '../../src/engine/pictureMemory.ts';
import { Model } from '../../src/inference/model.ts';
import { PromptMemory } from '../../src/inference/promptMemory.ts';
import type { ReasonRequest } from '../../src/protocol/engine.ts';
import { reasonRun } from '../../test/fixtures/reasonRun.ts';

const ROUNDS = 3;

const [, , folder = 'models/maze', pixels] = process.argv;
const model = await Model.open(await openCheckpoint(folder), 'cpu');
const budget = pixels === undefined ? {} : { minPixels: Number(pixels), maxPixels: Number(pixels) };
const memory = { prompt: new PromptMemory(), pictures: new PictureMemory() };
const request: Partial<ReasonRequest> = {
  question: 'Find a safe path to the goal.',
  latents: 'free',
  maxTokens: 1,
  ...budget,
};

/** Milliseconds to the first token, and what was reused. */
async function firstToken(changes: Partial<ReasonRequest>, kept = true): Promise<string> {
  const { trace, error } = await reasonRun(model, { ...request, ...changes, ...(kept && { memory }) });
  if (error !== undefined) throw error;
  const parts = trace!.timings.filter(({ name }) => /^(encode|read)/.test(name));
  const sum = parts.reduce((total, { milliseconds }) => total + milliseconds, 0);
  return `${sum.toFixed(1).padStart(9)} ms   ${parts.map(({ name, milliseconds }) => `${name}: ${milliseconds.toFixed(1)}`).join(', ')}`;
}

for (let round = 0; round < ROUNDS; round++) {
  memory.prompt.forget();
  memory.pictures.forget();
  console.log(`fresh           ${await firstToken({}, false)}`);
  await firstToken({});
  console.log(`other setting   ${await firstToken({ seed: round, temperature: 1 })}`);
  console.log(`other question  ${await firstToken({ question: `What is in the picture, ${round}?` })}`);
}
memory.prompt.forget();
await model.release();
