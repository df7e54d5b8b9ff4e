/** Copies of a trace are one run, however they were made; other runs are others. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Trace } from '../../src/trace/schema.ts';
import type { MemoryContainer } from '../../src/traceFile/container.ts';
import { exportTrace } from '../../src/traceFile/export.ts';
import { identityOf, requireTwo } from '../../src/traceFile/identity.ts';
import { openTrace } from '../../src/traceFile/openTrace.ts';
import { smallRun, smallTrace } from '../fixtures/smallTrace.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ilvr-identity-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

it('a copy is the same: under another id, in two files, with an analysis, its arrays elsewhere', async () => {
  const run = smallRun();
  const own = await identityOf(run.trace);
  const container = run.container as MemoryContainer;
  // An array that nothing refers to, which an export leaves out.
  await container.add('F32', [7], new Float32Array(7));
  const kept = await container.add('F32', [1], Float32Array.of(1));
  const about = { version: 1, createdAt: '2026-01-01T00:00:00.000Z', status: 'complete' as const };
  run.trace.analyses = [{ method: 'of-tomorrow', ...about, parameters: {}, result: { n: { $array: kept } } }];
  run.trace.arrays.bytes = container.size;
  run.trace.id = 'kept-elsewhere';
  const [, manifest] = await exportTrace(run, join(folder, 'a.ilvr.json'), { form: 'pair' });
  const copy = await openTrace(manifest!);
  await copy.close();
  expect(await identityOf(copy.trace)).toBe(own);
  await expect(requireTwo(smallTrace(), copy.trace)).rejects.toThrow(
    /A run is not compared with itself: expected traces of two runs, found twice the same/,
  );
});

it.each<[string, (trace: Trace) => void]>([
  ['asked something else', (trace) => (trace.question = 'Where to?')],
  ['with another array', (trace) => (trace.latents[0]!.vector.sha256 = '0'.repeat(64))],
  ['made at another time', (trace) => (trace.createdAt = '2026-01-02T00:00:00.000Z')],
  ['that took longer', (trace) => (trace.timings[0]!.milliseconds += 1)],
])('a run %s is another', async (_, change) => {
  const [own, other] = [smallTrace(), smallTrace()];
  change(other);
  expect(await identityOf(other)).not.toBe(await identityOf(own));
  await requireTwo(own, other);
});
