/** A GPU that is lost: what the runtime says is recognised, what came before is kept, and the next run works. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { EngineDiedError } from '../../src/client/ends.ts';
import { EngineClient } from '../../src/client/engineClient.ts';
import { gpuLost } from '../../src/process/gpuLost.ts';
import { REASON_DEFAULTS, type ReasonRequest } from '../../src/protocol/engine.ts';
import type { ReasonEvent } from '../../src/trace/events.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { bundledModel, exampleImage, repository } from '../fixtures/paths.ts';

describe('what the runtime says of a lost GPU', () => {
  it.each([
    'Failed to download data from buffer. wgpu::MapAsyncStatus value: 3',
    'Non-zero status code returned while running MatMul node. [Device "x"] is lost.',
    'WebGPU device lost (1): VK_ERROR_DEVICE_LOST',
    'CUDA failure 719: unspecified launch failure ; GPU=0',
    'MLOperatorAuthorImpl.cpp(2554) Exception(1) 887A0006 The GPU will not respond to more commands',
  ])('%s', (message) => {
    expect(gpuLost(new Error(message))?.message).toMatch(/^The GPU was lost: .*found .* use the CPU/);
  });

  it.each([
    'CUDA failure 2: out of memory',
    'Failed to create a WebGPU compute pipeline: f32',
    'a lost number',
  ])('nothing of the kind: %s', (message) => expect(gpuLost(new Error(message))).toBeUndefined());

  it('is told once', () => {
    expect(gpuLost(new UserError({ problem: 'The device was lost' }))).toBeUndefined();
  });
});

describe('an engine whose GPU is lost in the middle of a run', () => {
  const note = join(temporaryFolder(), 'lost');
  const lines: string[] = [];
  let ended = '';
  Object.assign(process.env, { LOST_AFTER: '60', LOST_NOTE: note });
  const client = new EngineClient({
    enginePath: join(repository, 'test/fixtures/lostGpuEngine.cjs'),
    log: (level, text) => lines.push(`${level} ${text}`),
    exited: (how) => (ended = how),
  });
  afterAll(() => {
    client.dispose();
    delete process.env['LOST_AFTER'];
    delete process.env['LOST_NOTE'];
  });

  it('ends with all that it had found, saying why; the next one answers', { timeout: 120_000 }, async () => {
    const load = { id: 'load', folder: bundledModel, device: 'cpu' } as const;
    await client.load(load);
    const events: ReasonEvent[] = [];
    const failure = await client.reason(requestFor('first'), (event) => events.push(event)).catch(String);
    expect(failure).toMatch(/GPU was lost.*use the CPU instead\. What was computed so far is kept/);
    expect(failure).toContain('MapAsyncStatus');
    expect(events.filter(({ type }) => type === 'token').length).toBeGreaterThan(3);
    expect(events.some(({ type }) => type === 'done')).toBe(false);
    expect(ended).toContain('exit code 75');
    expect(lines.some((line) => line.startsWith('error The GPU was lost'))).toBe(true);

    await expect(client.reason(requestFor('second'), () => undefined)).rejects.toBeInstanceOf(
      EngineDiedError,
    );
    await client.load(load);
    const { status } = await client.reason(requestFor('third'), () => undefined);
    expect(status).toBe('complete');
  });

  it('reports what it has loaded without saying where that lies', async () => {
    const report = (await client.diagnose()).join('\n');
    expect(report).toMatch(/main memory can be taken/);
    expect(report).toMatch(/^WebGPU: (works|does not work) \(.+\)$/m);
    expect(report).toMatch(/^Loaded: maze \(Qwen2_5_VL.*, \S+M parameters, stored in \w+\)$/m);
    expect(report).toMatch(/^Weights: float32, .*takes .* in one buffer\n.*format +weights/m);
    expect(report).toMatch(/^→ +float32/m);
    expect(report).not.toContain(repository);
  });
});

function requestFor(id: string): ReasonRequest {
  return {
    ...REASON_DEFAULTS,
    id,
    arrays: join(temporaryFolder(), 'arrays.ilvr.bin'),
    question: 'Find a safe path to the goal.',
    images: [{ name: 'map', bytes: readFileSync(exampleImage) }],
    helpers: [],
    maxTokens: 60,
  };
}
