/** What asks a run's model once more takes the run's own model and format, unless others are named. */

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkpointHash } from '../../src/checkpoint/hash.ts';
import { asRun } from '../../src/cli/asRun.ts';
import type { CliContext } from '../../src/cli/context.ts';
import type { ModelOptions } from '../../src/cli/options.ts';
import { repository } from '../fixtures/paths.ts';
import { smallRun } from '../fixtures/smallTrace.ts';

const models = join(repository, 'models');
const context = { models } as CliContext;
const nothing = { weights: 'auto' } as ModelOptions;

/** A run of the bundled model of worlds. */
async function runOfWorlds() {
  const { trace } = smallRun();
  const folder = join(models, 'worlds');
  const sha256 = await checkpointHash({ folder, weightFiles: [join(folder, 'model.safetensors')] });
  return { ...trace, model: { ...trace.model, sha256, weights: '8bit' as const } };
}

it('is asked of the bundled model that it is of, in its format', async () => {
  expect(await asRun(context, nothing, await runOfWorlds())).toEqual({
    model: 'bundled:worlds',
    weights: '8bit',
  });
});

it('is asked of the model and in the format that are named', async () => {
  const named = { model: 'elsewhere', weights: 'float32' } as ModelOptions;
  expect(await asRun(context, named, await runOfWorlds())).toEqual(named);
});

it('is asked of the usual model where its own is none of the bundled ones, or not known', async () => {
  const run = await runOfWorlds();
  for (const sha256 of ['0'.repeat(64), undefined])
    expect(await asRun(context, nothing, { ...run, model: { ...run.model, sha256 } })).toEqual({
      weights: '8bit',
    });
});
