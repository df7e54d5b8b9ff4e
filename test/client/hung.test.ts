/** The client of an engine that hangs, dies or is stopped: real processes, without a model. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CancelledError } from '../../src/base/errors.ts';
import { EngineDiedError, EngineStoppedError } from '../../src/client/ends.ts';
import { EngineClient, type EngineClientOptions } from '../../src/client/engineClient.ts';
import { REASON_DEFAULTS } from '../../src/protocol/engine.ts';
import type { ReasonEvent } from '../../src/trace/events.ts';
import { buildFakeEngine, temporaryFolder } from '../fixtures/cli.ts';
import { isAlive, until } from '../fixtures/processes.ts';

let enginePath = '';
beforeAll(async () => {
  enginePath = await buildFakeEngine();
});

const clients: EngineClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose();
});

interface Client {
  client: EngineClient;
  /** What it wrote to the log. */
  log: string[];
  exits: string[];
}

function newClient(options: Partial<EngineClientOptions> = {}): Client {
  const [log, exits]: [string[], string[]] = [[], []];
  const client = new EngineClient({
    enginePath,
    log: (_, text) => void log.push(text),
    exited: (reason) => void exits.push(reason),
    patience: { cancel: 300 },
    ...options,
  });
  clients.push(client);
  return { client, log, exits };
}

async function load({ client }: Client, folder = 'model', signal?: AbortSignal): Promise<void> {
  await client.load({ id: 'load', folder, device: 'cpu' }, signal);
}

async function ask(
  { client }: Client,
  question: string,
  onEvent: (event: ReasonEvent) => void = () => undefined,
  signal?: AbortSignal,
): Promise<string> {
  const arrays = join(temporaryFolder(), 'run.ilvr.bin');
  const request = { ...REASON_DEFAULTS, id: question, arrays, question, images: [], helpers: [] };
  return (await client.reason(request, onEvent, signal)).status;
}

/** The process that runs now. */
async function pidOf({ client }: Client): Promise<number> {
  return (await client.info()).pid;
}

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Asks again, of whatever process there is. @returns its id */
async function worksAgain(used: Client): Promise<number> {
  await load(used);
  expect(await ask(used, 'box:R')).toBe('complete');
  return pidOf(used);
}

describe('a cancel that is not answered', () => {
  it('ends the engine and says so; what it had sent is kept, and the next run has a new engine', async () => {
    const used = newClient();
    await load(used);
    const pid = await pidOf(used);
    const abort = new AbortController();
    let latents = 0;
    const count = ({ type }: ReasonEvent): void => {
      if (type === 'latent' && ++latents === 3) abort.abort();
    };
    const error = await errorOf(ask(used, 'hang', count, abort.signal));
    expect(error).toBeInstanceOf(EngineStoppedError);
    expect(error).toBeInstanceOf(CancelledError);
    expect((error as Error).message).toMatch(
      /did not stop within 0\.3 s, so its process was ended\. What was computed so far is kept/,
    );
    expect(used.log).toContain((error as Error).message);
    expect(latents).toBe(3);
    await until(() => !isAlive(pid));
    expect(await worksAgain(used)).not.toBe(pid);
  });

  it('ends an engine that was stopped from outside, which SIGTERM would not', async () => {
    const used = newClient();
    await load(used);
    const pid = await pidOf(used);
    const abort = new AbortController();
    const stop = ({ type }: ReasonEvent): void => {
      if (type !== 'prompt') return;
      process.kill(pid, 'SIGSTOP');
      abort.abort();
    };
    expect(await errorOf(ask(used, 'wait', stop, abort.signal))).toBeInstanceOf(EngineStoppedError);
    await until(() => !isAlive(pid));
    expect(await worksAgain(used)).not.toBe(pid);
  });

  it('ends an engine that hangs while it loads', async () => {
    const abort = new AbortController();
    const used = newClient({ progress: () => abort.abort() });
    expect(await errorOf(load(used, 'endless', abort.signal))).toBeInstanceOf(EngineStoppedError);
    await worksAgain(used);
  });

  it('and one that is answered ends nothing', async () => {
    const cancel = 2000;
    const used = newClient({ patience: { cancel } });
    await load(used);
    const pid = await pidOf(used);
    const abort = new AbortController();
    expect(await ask(used, 'wait', () => abort.abort(), abort.signal)).toBe('cancelled');
    await new Promise((resolve) => setTimeout(resolve, 1.2 * cancel));
    expect(await pidOf(used)).toBe(pid);
  });
});

describe('a later call never waits for', () => {
  it('an engine that stopped answering when it had nothing to do', async () => {
    const used = newClient({ patience: { idle: 2000 } });
    await load(used);
    const pid = await pidOf(used);
    process.kill(pid, 'SIGSTOP');
    expect(await worksAgain(used)).not.toBe(pid);
    expect(used.log.join()).toContain('does not answer any more');
    await until(() => !isAlive(pid));
  });

  it('an engine that died when it had nothing to do', async () => {
    const used = newClient();
    await load(used);
    const pid = await pidOf(used);
    process.kill(pid, 'SIGKILL');
    expect(await worksAgain(used)).not.toBe(pid);
  });

  it('an engine that says nothing from its start on, each time anew', async () => {
    const silent = join(temporaryFolder(), 'silent.cjs');
    writeFileSync(silent, 'setInterval(() => undefined, 1000);');
    const used = newClient({ enginePath: silent, patience: { start: 300 } });
    for (let i = 0; i < 2; i++)
      await expect(used.client.info()).rejects.toThrow(/no answer within 0\.3 s of its start/);
    expect(used.exits).toHaveLength(2);
  });

  it('an engine at its start when it is cancelled', async () => {
    const silent = join(temporaryFolder(), 'silent.cjs');
    writeFileSync(silent, 'setInterval(() => undefined, 1000);');
    const used = newClient({ enginePath: silent });
    const abort = new AbortController();
    const loading = errorOf(load(used, 'model', abort.signal));
    setTimeout(() => abort.abort(), 100);
    expect(await loading).toBeInstanceOf(CancelledError);
  });

  it('anything at all when it is cancelled before it begins', async () => {
    const used = newClient();
    expect(await errorOf(load(used, 'model', AbortSignal.abort()))).toBeInstanceOf(CancelledError);
    expect(used.exits).toEqual([]);
  });
});

describe('an engine that died', () => {
  it('between load and question is told as that, and not as a model that was never loaded', async () => {
    const used = newClient();
    await load(used);
    process.kill(await pidOf(used), 'SIGKILL');
    const error = await errorOf(ask(used, 'box:R'));
    expect(error).toBeInstanceOf(EngineDiedError);
    expect(await errorOf(ask(used, 'box:R'))).toBeInstanceOf(EngineDiedError);
    await worksAgain(used);
  });

  it.each([
    ['die', 'model', /\(signal SIGKILL\)\. Most likely memory ran out: use a smaller model/],
    [
      'die',
      'model',
      /With 8-bit weights the model was to take 8\.1 GB of 21\.0 GB free; .* free now.*: 4bit 4\.9 GB \(--weights/,
    ],
    ['', 'crash', /\(signal SIGSEGV\)\. It crashed, most likely in the runtime or in a driver/],
  ])('says by what and what to do ("%s" of the model "%s")', async (question, folder, message) => {
    const used = newClient();
    const error = await errorOf(load(used, folder).then(() => ask(used, question)));
    expect(error).toBeInstanceOf(EngineDiedError);
    expect((error as Error).message).toMatch(message);
    expect(used.exits).toHaveLength(1);
  });

  it('is replaced once, however many calls come at the same time', async () => {
    const used = newClient();
    const pids = await Promise.all([pidOf(used), pidOf(used), pidOf(used)]);
    expect(new Set(pids).size).toBe(1);
    process.kill(pids[0], 'SIGKILL');
    await until(() => used.exits.length === 1);
    const later = await Promise.all([pidOf(used), pidOf(used), pidOf(used)]);
    expect(new Set(later).size).toBe(1);
    expect(later[0]).not.toBe(pids[0]);
  });

  it('names what was missing if it could not start', async () => {
    const used = newClient({ enginePath: join(temporaryFolder(), 'none.cjs') });
    await expect(used.client.info()).rejects.toThrow(/exit code 1; Error: Cannot find module/);
  });
});
