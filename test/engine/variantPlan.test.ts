/** Which part of a run is replaced, and why nothing can be. */

import { expect, it } from 'vitest';
import { scopeOf } from '../../src/engine/analyses/variantPlan.ts';
import type { ModelRun } from '../../src/engine/analyses/modelRun.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { join } from 'node:path';
import { repository } from '../fixtures/paths.ts';

const ALL = { block: 0, latent: 0 };

/** A run without blocks. */
function run(last: 'text' | 'end'): ModelRun['run'] {
  const tokens = [
    { id: 1, text: 'up', kind: 'text' as const },
    { id: 2, text: '', kind: last },
  ];
  return { promptIds: [1], tokens, blocks: [], latents: [], pictures: [] };
}

it('of a run that was cut before its first block it says so, of others that they have none', async () => {
  const { protocol } = (await openCheckpoint(join(repository, 'models/maze'))).config;
  expect(protocol).toBeDefined();
  expect(() => scopeOf({ run: run('text'), protocol }, ALL)).toThrow(
    /cut after 2 tokens, before its first block\. Ask again with a higher limit/,
  );
  for (const none of [
    { run: run('end'), protocol },
    { run: run('text'), protocol: undefined },
  ])
    expect(() => scopeOf(none, ALL)).toThrow(/no latents to replace\. Ask a model that thinks in latent/);
});
