/** Checkpoints after public reports, with upstream's answers; they lie beside the repository, where they do. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { openSafetensors } from '../../src/checkpoint/formats/tensorFile.ts';
import { Generation } from '../../src/inference/generation.ts';
import { Model } from '../../src/inference/model.ts';
import { cases } from '../fixtures/paths.ts';
import { reasonRun } from '../fixtures/reasonRun.ts';

/** Greedy ids after the prompt of prompt.safetensors. */
async function greedyIds(folder: string, count: number): Promise<number[]> {
  const model = await Model.open(await openCheckpoint(folder), 'cpu');
  const file = await openSafetensors(cases('prompt.safetensors'));
  const ids = await file.int64('input_ids');
  const [, height = 0, width = 0] = await file.int64('image_grid_thw');
  const grid = { height, width };
  const features = await model.encodeImage(await file.float32('pixel_values'), grid);
  const run = await Generation.begin(
    model,
    { ids, ...(await model.embedPrompt(ids, [{ features, grid }])) },
    {
      latents: 'free',
      maxTokens: count,
      temperature: 0,
      topP: 1,
      repetitionPenalty: model.checkpoint.generation.repetitionPenalty,
      seed: 0,
    },
  );
  const chosen: number[] = [];
  while (run.ended === undefined) chosen.push((await run.step()).token.id);
  run.dispose();
  await model.release();
  return chosen;
}

const NGRAM = cases('22-generation-config-ngram');
describe.runIf(existsSync(NGRAM))('a generation_config.json with no_repeat_ngram_size', () => {
  it('gives the ids of transformers', async () => {
    const expected = JSON.parse(readFileSync(join(NGRAM, 'expected.json'), 'utf8')) as { new_ids: number[] };
    const { new_ids: ids } = expected;
    expect(await greedyIds(join(NGRAM, 'gen-ngram'), ids.length)).toEqual(ids);
  });
});

const INFINITE = cases('08-nan-f16/nan-f16');
describe.runIf(existsSync(INFINITE))('a checkpoint in float16 with an infinite weight', () => {
  it('is told by the name of the tensor, before a token', async () => {
    const model = await Model.open(await openCheckpoint(INFINITE), 'cpu');
    const { trace, error } = await reasonRun(model, { question: 'Where?' });
    await model.release();
    expect(String(error)).toContain('model.layers.2.mlp.down_proj.weight, element 0');
    expect(trace!.tokens).toEqual([]);
  });
});
