/** Stage 2 that begins with what stage 1 left as an adapter. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import { exportCheckpoint } from '../../../src/checkpoint/exportCheckpoint.ts';
import { openSafetensors } from '../../../src/checkpoint/formats/tensorFile.ts';
import { readConfig } from '../../../src/train/run/config.ts';
import { runTraining } from '../../../src/train/run/run.ts';
import { openStart } from '../../../src/train/run/start.ts';
import type { Metric } from '../../../src/watch/metrics.ts';
import { buildTrainWorker, temporaryFolder } from '../../fixtures/cli.ts';
import { writeConfig, writeSmallModel } from './fixtures.ts';

const lora = { rank: 2, alpha: 4, dropout: 0, targets: ['q_proj', 'down_proj'] };
const data = { generator: { sizes: [3], form: 'latents' } };
/** With a warm-up step, whose learning rate is 0. */
const SECOND = { stage: 2, data, steps: 1, batch: 2, warmupSteps: 1, watch: { every: 0 } };

let model = '';
let stage1 = '';
let adapter = '';
/** A run that has the adapter in its weights. */
let whole = '';
beforeAll(async () => {
  model = await writeSmallModel();
  const recipe = { model, data, stage: 1, steps: 2, lora, learningRate: 5e-2, warmupSteps: 0 };
  stage1 = await run(writeConfig({ ...recipe, watch: { every: 0 } }));
  adapter = join(stage1, 'checkpoints', 'step-2');
  whole = await run(writeConfig({ ...SECOND, model, adapter: stage1 }));
}, 120_000);

/** @returns the run's folder */
async function run(config: string, workerScript?: string): Promise<string> {
  await runTraining(config, {
    provider: 'cpu',
    signal: new AbortController().signal,
    onStart: () => undefined,
    onStep: () => undefined,
    ...(workerScript !== undefined && { workerScript }),
  });
  return join(dirname(config), 'run');
}

function firstLoss(folder: string): number {
  const [line] = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').split('\n');
  return (JSON.parse(line!) as Metric).losses['ce']!;
}

/** Hashes of the weights by name. */
async function tensorsOf(folder: string): Promise<Map<string, string>> {
  const file = await openSafetensors(join(folder, 'model.safetensors'));
  const hashes = file.names.toSorted().map(async (name) => {
    const hash = createHash('sha256').update(await file.float32(name));
    return [name, hash.digest('hex')] as const;
  });
  return new Map(await Promise.all(hashes));
}

it('the adapter is merged into the weights, or trained further from where it was, with the same loss', async () => {
  const bare = await run(writeConfig({ ...SECOND, model }));
  const more = { lora, workers: 2, steps: 2, checkpointEvery: 1 };
  const further = await run(
    writeConfig({ ...SECOND, ...more, model, adapter, learningRate: 1e-2 }),
    await buildTrainWorker(),
  );
  expect(Math.abs(firstLoss(whole) - firstLoss(bare))).toBeGreaterThan(0.05);
  expect(Math.abs(firstLoss(whole) - firstLoss(further))).toBeLessThan(1e-4);

  const exported = temporaryFolder();
  await exportCheckpoint(await openCheckpoint(model, { adapter }), exported, { dtype: 'float32' });
  expect(await tensorsOf(join(whole, 'checkpoints', 'step-1'))).toEqual(await tensorsOf(exported));

  const [before, same, moved] = [
    adapter,
    ...['step-1', 'step-2'].map((name) => join(further, 'checkpoints', name)),
  ].map((folder) => readFileSync(join(folder, 'adapter_model.safetensors')));
  expect(same!.equals(before!)).toBe(true);
  expect(moved!.equals(before!)).toBe(false);
}, 120_000);

it('a run as the model is its newest checkpoint, with the adapter given beside it', async () => {
  const { config } = await readConfig(writeConfig({ ...SECOND, model: whole, adapter: stage1 }));
  const start = await openStart(config);
  expect(start.folder).toBe(join(whole, 'checkpoints', 'step-1'));
  expect(start.adapter!.folder).toBe(adapter);
});

describe('a start that cannot be is told before there is a run', () => {
  it.each([
    [{}, /expected rank 2, alpha 4, 2 matrices of down_proj, q_proj, found rank 32, alpha 64, 7 matrices of/],
    [{ ...lora, rank: 4, alpha: 8 }, /expected rank 2, alpha 4, .*, found rank 4, alpha 8, /],
    [{ ...lora, alpha: 2 }, /expected rank 2, alpha 4, .*, found rank 2, alpha 2, /],
    [{ ...lora, targets: ['q_proj', 'up_proj'] }, /down_proj, q_proj, found .* of q_proj, up_proj/],
  ])('an adapter of other settings than %j', async (other, message) => {
    const config = writeConfig({ ...SECOND, model, adapter, lora: other });
    const failure: unknown = await run(config).catch((error: unknown) => error);
    expect(String(failure)).toMatch(message);
    expect(String(failure)).toContain(adapter);
    expect(existsSync(join(dirname(config), 'run'))).toBe(false);
  });

  it.each(['run', 'checkpoint'])('an adapter as the model: the %s of stage 1', async (given) => {
    const config = writeConfig({ ...SECOND, model: given === 'run' ? stage1 : adapter });
    await expect(run(config)).rejects.toThrow(
      /holds an adapter, not a model: .*Open the base model and give this folder as its adapter/,
    );
  });

  it('an adapter before stage 1', async () => {
    await expect(readConfig(writeConfig({ ...SECOND, stage: 'base', model, adapter }))).rejects.toThrow(
      /"adapter" cannot be used: expected no adapter before stage 1/,
    );
  });
});
