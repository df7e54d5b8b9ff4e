/** No process outlives the one that it works for: real processes, whose parents are ended in every way. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EngineStoppedError } from '../../src/client/ends.ts';
import { EngineClient } from '../../src/client/engineClient.ts';
import { tryDevice } from '../../src/process/gpuProbe.ts';
import { statusOf } from '../../src/watch/status.ts';
import { bundleProgram } from '../fixtures/bundle.ts';
import { EXAMPLES, temporaryFolder } from '../fixtures/cli.ts';
import { bundledModel, engineBundle, exampleImage, repository } from '../fixtures/paths.ts';
import { descendantsOf, endOfProcess, isAlive, until, untilSaid } from '../fixtures/processes.ts';
import { writeConfig, writeSmallModel } from '../train/run/fixtures.ts';

const CLI = join(repository, 'dist/cli.cjs');
const isLinux = process.platform === 'linux';

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, args, { cwd: repository, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  return child;
}

const programs = { parent: '', busyChild: '', engineUser: '' };
beforeAll(async () => {
  for (const name of ['parent', 'busyChild', 'engineUser'] as const)
    programs[name] = await bundleProgram(`test/fixtures/${name}.ts`);
});

/** A process that starts the script as the product does. @returns both */
async function parentOf(script: string, ...args: string[]): Promise<{ parent: ChildProcess; pid: number }> {
  const parent = start(programs.parent, script, ...args);
  const [, pid] = await untilSaid(parent, /child (\d+)/);
  return { parent, pid: Number(pid) };
}

describe.skipIf(process.platform === 'win32')('a child whose parent was killed', () => {
  it('ends while the runtime computes and its event loop stands still', async () => {
    const { parent, pid } = await parentOf(programs.busyChild);
    await untilSaid(parent, /computing/);
    parent.kill('SIGKILL');
    await until(() => !isAlive(pid));
  });

  it('has as long to end by itself as it was given', async () => {
    const { parent, pid } = await parentOf(programs.busyChild, '3000');
    await untilSaid(parent, /computing/);
    parent.kill('SIGKILL');
    await endOfProcess(parent);
    const killed = Date.now();
    await until(() => !isAlive(pid));
    expect(Date.now() - killed).toBeGreaterThan(2500);
  });

  it('goes on if its parent is only stopped', async () => {
    const { parent, pid } = await parentOf(programs.busyChild);
    await untilSaid(parent, /computing/);
    parent.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isAlive(pid));
  });

  it('and is a run of training finishes its step and saves', async () => {
    const config = writeConfig({ model: await writeSmallModel(), steps: 100_000, checkpointEvery: 50_000 });
    const { parent, pid } = await parentOf(CLI, 'train', config);
    await untilSaid(parent, /^step 2 of/m);
    parent.kill('SIGKILL');
    await until(() => !isAlive(pid));
    const run = join(dirname(config), 'run');
    const status = statusOf(readFileSync(join(run, 'status.json'), 'utf8'));
    expect([status?.state, status?.pid]).toEqual(['stopped', pid]);
    const latest = readFileSync(join(run, 'latest'), 'utf8').trim();
    expect(existsSync(join(run, 'checkpoints', latest, 'model.safetensors'))).toBe(true);
  });
});

describe.skipIf(process.platform === 'win32')('the engine in the middle of a run', () => {
  it.each(['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
    'ends with its user, by %s',
    async (signal) => {
      const user = start(programs.engineUser, engineBundle, bundledModel, exampleImage, 'cpu', 'for ever');
      const [, pid] = await untilSaid(user, /engine (\d+)/);
      await untilSaid(user, /a token/);
      user.kill(signal);
      expect(await endOfProcess(user)).toBe(signal);
      await until(() => !isAlive(Number(pid)));
    },
  );
});

describe.runIf(isLinux)('the command line', () => {
  /** Evaluates with two engines until the first sample is done. @returns it and what it has started */
  async function evaluating(): Promise<{ cli: ChildProcess; pids: number[]; results: string }> {
    const results = join(temporaryFolder(), 'results.jsonl');
    const samples = join(EXAMPLES, 'samples.jsonl');
    const cli = start(CLI, 'evaluate', samples, '--device', 'cpu', '--jobs', '2', '--results', results);
    await untilSaid(cli, /✓|✗/);
    return { cli, pids: descendantsOf(cli.pid!), results };
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 130],
    ['SIGHUP', 130],
    ['SIGKILL', 'SIGKILL'],
  ] as const)('ends its engines with itself, by %s', async (signal, code) => {
    const { cli, pids, results } = await evaluating();
    expect(pids).toHaveLength(2);
    cli.kill(signal);
    expect(await endOfProcess(cli)).toBe(code);
    await until(() => !pids.some((pid) => isAlive(pid)));
    expect(readFileSync(results, 'utf8').split('\n').length).toBeGreaterThan(1);
  });

  it('whose engines are stopped from outside ends all the same', async () => {
    const { cli, pids } = await evaluating();
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    cli.kill('SIGTERM');
    expect(await endOfProcess(cli)).toBe(130);
    await until(() => !pids.some((pid) => isAlive(pid)));
  });

  it('told twice ends at once, and so do its stopped engines', async () => {
    const { cli, pids } = await evaluating();
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    cli.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 500));
    cli.kill('SIGINT');
    expect(await endOfProcess(cli)).toBe(130);
    await until(() => !pids.some((pid) => isAlive(pid)));
  });

  it('in a command that keeps nothing ends with the first signal', async () => {
    const cli = start(CLI, 'generate-maps', join(temporaryFolder(), 'maps'), '--count', '100000');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    cli.kill('SIGTERM');
    expect(await endOfProcess(cli)).toBe(130);
  });
});

describe.runIf(isLinux)('a script that runs the command line', () => {
  const script = `
    const { runNode } = await import(${JSON.stringify(join(repository, 'scripts/runNode.mjs'))});
    const samples = ${JSON.stringify(join(EXAMPLES, 'samples.jsonl'))};
    await runNode([${JSON.stringify(CLI)}, 'evaluate', samples, '--device', 'cpu', '--jobs', '2']);`;

  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGKILL', 'SIGKILL'],
  ] as const)('takes it and its engines along, by %s', async (signal, code) => {
    const parent = start('--input-type=module', '-e', script);
    await untilSaid(parent, /✓|✗/);
    const pids = descendantsOf(parent.pid!);
    expect(pids).toHaveLength(3);
    parent.kill(signal);
    expect(await endOfProcess(parent)).toBe(code);
    await until(() => !pids.some((pid) => isAlive(pid)));
  });
});

const VULKAN = ['x86_64', 'aarch64'].map((cpu) => `/usr/lib/${cpu}-linux-gnu/libvulkan.so.1`);

describe.runIf(isLinux && VULKAN.some((path) => existsSync(path)))('a driver that hangs', () => {
  /** The loader waits for ever for what is in this file. */
  function hangingDriver(): { VK_DRIVER_FILES: string; VK_ICD_FILENAMES: string } {
    const file = join(temporaryFolder(), 'driver.json');
    spawnSync('mkfifo', [file]);
    return { VK_DRIVER_FILES: file, VK_ICD_FILENAMES: file };
  }

  beforeAll(() => void Object.assign(process.env, hangingDriver()));

  it('is given up, and said', async () => {
    const before = descendantsOf(process.pid);
    const result = await tryDevice(engineBundle, 'webgpu', { patience: 2000 });
    expect(result).toEqual({ works: false, detail: 'the probe ended: no answer within 2 s' });
    await until(() => descendantsOf(process.pid).every((pid) => before.includes(pid)));
  });

  it('holds up no cancel, and its probe ends with the engine', async () => {
    const client = new EngineClient({
      enginePath: engineBundle,
      log: () => undefined,
      patience: { cancel: 500 },
    });
    const abort = new AbortController();
    const loading = client.load({ id: 'load', folder: bundledModel, device: 'auto' }, abort.signal);
    const { pid } = await client.info();
    await until(() => descendantsOf(pid).length === 1);
    const [probe] = descendantsOf(pid);
    abort.abort();
    await expect(loading).rejects.toBeInstanceOf(EngineStoppedError);
    await until(() => !isAlive(pid) && !isAlive(probe!));
  });
});
