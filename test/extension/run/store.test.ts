/** Claims about kept runs: saving while they grow, reading back, forgetting the oldest. */

import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RunStore } from '../../../src/extension/run/store.ts';
import type { Trace } from '../../../src/trace/schema.ts';
import { smallTrace } from '../../fixtures/smallTrace.ts';

let folder: string;
let failures: unknown[];
let store: RunStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ilvr-runs-'));
  failures = [];
  store = new RunStore(folder, (error) => failures.push(error));
});

afterEach(async () => {
  store.dispose();
  await rm(folder, { recursive: true, force: true });
});

function run(id: string, status: Trace['status'] = 'complete'): Trace {
  return { ...smallTrace(status), id };
}

test('a saved run reads back equal and is listed', async () => {
  await store.save(run('one'));
  expect(await store.read('one')).toEqual(run('one'));
  expect((await store.list()).map(({ id }) => id)).toEqual(['one']);
});

test('a growing run is on disk soon after it is scheduled', async () => {
  store.schedule(run('growing', 'running'));
  await expect.poll(() => readdir(folder)).toContain('growing.ilvr.json');
  expect(failures).toEqual([]);
});

test('a run whose window closed reads back as failed, with its latents', async () => {
  await store.save(run('cut', 'running'));
  const trace = await store.read('cut');
  expect(trace.status).toBe('failed');
  expect(trace.failure).toMatch(/had not ended/);
  expect(trace.latents.length).toBeGreaterThan(0);
  expect(trace.blocks.every(({ ended }) => ended !== 'running')).toBe(true);
});

test('flush saves what waits', async () => {
  await store.save(run('waiting', 'running'));
  const grown = { ...run('waiting', 'running'), question: 'Grown?' };
  store.schedule(grown);
  await store.flush();
  expect((await store.read('waiting')).question).toBe('Grown?');
});

test('twenty runs are kept, the oldest are deleted', async () => {
  for (let i = 0; i < 22; i++) {
    await store.save(run(`run-${i}`));
    const seconds = 1_700_000_000 + i;
    await utimes(join(folder, `run-${i}.ilvr.json`), seconds, seconds);
  }
  await store.save(run('last'));
  const ids = (await store.list()).map(({ id }) => id);
  expect(ids).toHaveLength(20);
  expect(ids).toContain('last');
  expect(ids).not.toContain('run-0');
});

test('an id that names a path is refused', async () => {
  await expect(store.read('../secret')).rejects.toThrow(/This is no run/);
});

test('a run that is no longer kept is refused by name', async () => {
  await expect(store.read('gone')).rejects.toThrow(/no longer kept/);
});

test('a damaged summary does not hide the other runs', async () => {
  await store.save(run('whole'));
  await writeFile(join(folder, 'half.summary.json'), '{"id":');
  expect((await store.list()).map(({ id }) => id)).toEqual(['whole']);
});
