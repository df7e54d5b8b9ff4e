/** Weights in few bits as the engine opens them: packed on first use, found again, made again where they are unsound. */

import { spawnSync } from 'node:child_process';
import { appendFile, cp, open, readdir, truncate, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeRandomCheckpoint } from '../../scripts/randomCheckpoint.ts';
import { activityText } from '../../src/base/activity.ts';
import { CancelledError } from '../../src/base/errors.ts';
import { EngineServer } from '../../src/engine/server.ts';
import type { LoadedModel, LoadRequest, MemoryPlan } from '../../src/protocol/engine.ts';
import { bundleProgram } from '../fixtures/bundle.ts';
import { bundledModel, repository } from '../fixtures/paths.ts';
import { scratchFolder } from '../fixtures/scratch.ts';

let cache: string;
let server: EngineServer;
let messages: string[];
let warnings: string[];
let plans: MemoryPlan[];
let onProgress: (message: string, fraction?: number) => void;

function newServer(memory?: number): EngineServer {
  return new EngineServer(
    {
      progress: ({ activity, fraction }) => {
        const message = activityText(activity);
        messages.push(message);
        onProgress(message, fraction);
      },
      found: () => undefined,
      planned: (plan) => void plans.push(plan),
      event: () => undefined,
      log: ({ level, text }) => void (level === 'warn' && warnings.push(text)),
    },
    {
      version: 'test',
      packWorker: join(repository, 'dist/packWorker.cjs'),
      ...(memory !== undefined && { memory }),
    },
  );
}

beforeEach(async () => {
  cache = await scratchFolder();
  [messages, warnings, plans] = [[], [], []];
  onProgress = () => undefined;
  server = newServer();
});
afterEach(() => server.unload());

function load(request: Partial<LoadRequest> = {}): Promise<LoadedModel> {
  messages = [];
  const own = {
    id: 'load',
    folder: bundledModel,
    device: 'cpu',
    weights: '8bit',
    weightsCache: cache,
  } as const;
  return server.load({ ...own, ...request });
}

/** Opens them anew, as another process would. */
async function reload(request: Partial<LoadRequest> = {}): Promise<LoadedModel> {
  await server.unload();
  return load(request);
}

const isPacking = (): boolean => messages.some((message) => message.startsWith('packing weights to'));

async function cacheFile(): Promise<string> {
  const names = await readdir(cache);
  return join(
    cache,
    names.find((name) => name.endsWith('.safetensors'))!,
  );
}

describe('weights in 8 bits', () => {
  it('are packed on first use, found the second time, and told in the model and the plan', async () => {
    const { model, plan } = await load();
    expect(isPacking()).toBe(true);
    expect([model.weights, plan.chosen]).toEqual(['8bit', '8bit']);
    expect(plans).toEqual([plan]);
    await reload();
    expect(isPacking()).toBe(false);
  });

  it('are other weights than float32 of the same model, which is opened anew', async () => {
    await load();
    expect((await load({ weights: 'auto' })).model.weights).toBe('float32');
    expect(messages).toContain('opening the decoder graph');
  });

  it('go on where a cancelled packing stopped', async () => {
    onProgress = (message, fraction = 0) => {
      if (message.startsWith('packing') && fraction > 0.4) void server.cancel('load');
    };
    await expect(load()).rejects.toBeInstanceOf(CancelledError);
    expect((await readdir(cache)).some((name) => name.endsWith('.part'))).toBe(true);
    const fractions: number[] = [];
    onProgress = (message, fraction) => message.startsWith('packing') && fractions.push(fraction!);
    await load();
    expect(fractions[0]).toBeGreaterThan(0.2);
  });

  it('that somebody altered are told as such and made again', async () => {
    await load();
    const handle = await open(await cacheFile(), 'r+');
    await handle.write(Uint8Array.of(0x55, 0xaa), 0, 2, 1_000_000);
    await handle.close();
    await reload();
    expect(messages).toContain('checking the packed weights');
    expect(warnings.join()).toMatch(/quantised weights are damaged/);
    expect(isPacking()).toBe(true);
    await reload();
    expect(isPacking()).toBe(false);
  });

  it('that were only touched are read once and kept', async () => {
    await load();
    await utimes(await cacheFile(), 1, 2);
    await reload();
    expect([messages.includes('checking the packed weights'), isPacking()]).toEqual([true, false]);
    await reload();
    expect(messages).not.toContain('checking the packed weights');
  });

  it('that were cut short are told as such and made again', async () => {
    await load();
    await truncate(await cacheFile(), 3_000_000);
    await reload();
    expect(warnings.join()).toMatch(/not whole/);
    expect(isPacking()).toBe(true);
  });

  it('of a checkpoint that changed since are packed anew', async () => {
    const folder = join(cache, 'model');
    await cp(bundledModel, folder, { recursive: true });
    await load({ folder });
    await utimes(join(folder, 'model.safetensors'), 5, 6);
    // The model that is open is another one by now, too.
    await load({ folder });
    expect(isPacking()).toBe(true);
    await appendFile(join(folder, 'ilvr.json'), ' ');
    await reload({ folder });
    expect(isPacking()).toBe(false);
  });
});

describe('a model that does not fit', () => {
  it('is refused before anything is packed or opened, with the figures', async () => {
    server = newServer(100e6);
    await expect(load()).rejects.toThrow(/not enough memory for this model: .*100 MB free/);
    expect(await readdir(cache)).toEqual([]);
    expect(messages).not.toContain('opening the tower graph');
  });
});

it.runIf(process.platform === 'linux')(
  'memory that vanishes between plan and opening is told with the figures of the plan',
  async () => {
    const large = join(await scratchFolder(), 'large');
    await makeRandomCheckpoint('0.5b', large, { layers: 1, blocks: 1 });
    const program = await bundleProgram('test/fixtures/tooLittleMemory.ts');
    const run = spawnSync(process.execPath, [program, bundledModel, large, '400000000'], {
      encoding: 'utf8',
    });
    // Of float32 its head alone takes 545 MB.
    expect(run.stdout, run.stderr).toMatch(
      /^Memory ran out while the model was opened: expected \d+\.\d GB for float32 weights and a run, of 1000\.0 GB free, found .* left.* choose 8bit or 4bit/,
    );
  },
);
