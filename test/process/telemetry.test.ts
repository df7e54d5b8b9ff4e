/**
 * Nothing leaves the computer. The runtime's telemetry client, where it is not switched off, leaves files in the
 * moment that the first session is opened, and opens its first socket 46 s later (measured on onnxruntime 1.30).
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeArgument } from '../../src/process/gpuProbe.ts';
import { bundleProgram } from '../fixtures/bundle.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { bundledModel, engineBundle, exampleImage, repository } from '../fixtures/paths.ts';
import { endOfProcess, untilSaid } from '../fixtures/processes.ts';
import { writeConfig, writeSmallModel } from '../train/run/fixtures.ts';

const WATCHED_MS = 75_000;
const SAMPLE_MS = 20;

const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
});

/** A process whose folders for a user's files are all empty, and whose variables are none of ours. */
function startAtHome(home: string, ...args: string[]): ChildProcess {
  const folders = { HOME: home, TMPDIR: join(home, 'tmp'), XDG_CACHE_HOME: join(home, 'cache') };
  mkdirSync(folders.TMPDIR);
  const env = { PATH: process.env['PATH'], ...folders };
  const child = spawn(process.execPath, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  return child;
}

/** Sockets that a process holds, by their inodes. */
function socketsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      return []; // closed meanwhile
    }
  });
}

/** Those between processes of one machine that have no name: pipes and channels to parent and children. */
function unnamedLocal(pid: number): Set<string> {
  const lines = readFileSync(`/proc/${pid}/net/unix`, 'utf8').trim().split('\n').slice(1);
  const columns = lines.map((line) => line.trim().split(/\s+/));
  return new Set(columns.filter(([, , , , , , , name]) => name === undefined).map((column) => column[6]!));
}

/** Looks at a process for a while. @returns sockets of it that lead out of it and its relatives */
async function strangeSockets(pid: number, milliseconds: number): Promise<string[]> {
  const strange = new Set<string>();
  const end = Date.now() + milliseconds;
  while (Date.now() < end) {
    const [held, local] = [socketsOf(pid), unnamedLocal(pid)];
    for (const socket of held) if (!local.has(socket)) strange.add(socket);
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
  return [...strange];
}

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
}

const environmentOf = (pid: number | 'self'): string[] =>
  readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');

describe.runIf(process.platform === 'linux')('with an empty home', () => {
  const homes = { engine: temporaryFolder(), training: temporaryFolder() };
  const sockets: Record<string, string[]> = {};
  let environment: string[] = [];

  beforeAll(async () => {
    const engineUser = await bundleProgram('test/fixtures/engineUser.ts');
    // "auto": the probe too.
    const user = startAtHome(homes.engine, engineUser, engineBundle, bundledModel, exampleImage, 'auto');
    const [, pid] = await untilSaid(user, /engine (\d+)/);
    environment = environmentOf(Number(pid));

    const config = writeConfig({ model: await writeSmallModel(), steps: 100_000, batch: 2, workers: 2 });
    const training = startAtHome(homes.training, join(repository, 'dist/cli.cjs'), 'train', config);
    await Promise.all([untilSaid(user, /answered/), untilSaid(training, /^step 1 of/m)]);
    // All is loaded; a client would be at work without the run computing.
    writeFileSync(join(dirname(config), 'run/control.json'), JSON.stringify({ want: 'pause' }));
    [sockets['engine'], sockets['training']] = await Promise.all([
      strangeSockets(Number(pid), WATCHED_MS),
      strangeSockets(training.pid!, WATCHED_MS),
    ]);
  }, 300_000);

  it('the engine has no socket but those to its parent, and leaves no file', () => {
    expect([sockets['engine'], filesIn(homes.engine)]).toEqual([[], []]);
  });

  it('a run of training with worker threads has no socket either, and leaves no file', () => {
    expect([sockets['training'], filesIn(homes.training)]).toEqual([[], []]);
  });

  it('the engine has it from its first moment on, whatever reads its variables', () => {
    expect(environment).toContain('ORT_DISABLE_TELEMETRY=1');
  });
});

describe.runIf(process.platform === 'linux')('a process that another program has started', () => {
  it('leaves no file either: it switches telemetry off itself', async () => {
    const home = temporaryFolder();
    const probe = startAtHome(home, engineBundle, probeArgument('webgpu'));
    await endOfProcess(probe);
    expect(filesIn(home)).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('what looks for it', () => {
  it('sees a socket and a file', async () => {
    const home = temporaryFolder();
    const script = `
      require('node:fs').mkdirSync(process.env.XDG_CACHE_HOME);
      require('node:fs').writeFileSync(process.env.XDG_CACHE_HOME + '/deviceid', '');
      require('node:dgram').createSocket('udp4').bind(0, '127.0.0.1', () => console.log('bound'));`;
    const child = startAtHome(home, '-e', script);
    await untilSaid(child, /bound/);
    expect(await strangeSockets(child.pid!, 100)).toHaveLength(1);
    expect(filesIn(home)).toEqual(['deviceid']);
  });
});

describe('these tests', () => {
  it.runIf(process.platform === 'linux')('run in a process that has it off from its first moment on', () => {
    expect(environmentOf('self')).toContain('ORT_DISABLE_TELEMETRY=1');
  });

  it('a thread whose process has not switched it off opens no session', async () => {
    const program = await bundleProgram('test/fixtures/busyChild.ts');
    const worker = new Worker(program, { env: {} });
    const error = await new Promise<Error>((resolve) => worker.once('error', resolve));
    expect(error.message).toBe('the thread that starts others must have imported src/ort');
  });
});
