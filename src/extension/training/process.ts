/**
 * One process of a training run, `ilvr train`, as a child of the extension host. It ends by itself when
 * the host goes: after the step that is going on, saved.
 */

import { fork, spawn, type ChildProcess } from 'node:child_process';
import { messageOf, UserError } from '../../base/errors.ts';
import { PROBE_ARGUMENT, type DeviceRequest } from '../../protocol/engine.ts';
import type { TrainingMessage } from '../../protocol/training.ts';

/**
 * The runtime hands a batch's gradients over in 10 MB of new arrays, which V8 collects beside the computing and
 * on the same cores: without its helper threads a step takes 3 % less (docs/log.md).
 */
const ONE_THREAD_GC = '--single-threaded-gc';

/** A driver may hang when it is asked for. */
const PROBE_TIMEOUT_MS = 30_000;

/** What a run's process said before it ended; its text names file and line already. */
export class TrainingError extends UserError {
  /** What can be opened. */
  readonly place: string | undefined;

  constructor(message: string, place?: string) {
    super({ problem: message.replace(/\.$/, '') });
    this.name = 'TrainingError';
    this.place = place;
  }
}

export interface TrainingProcessOptions {
  /** dist/cli.cjs */
  cliPath: string;
  config: string;
  device: 'cpu' | 'webgpu';
  log: (level: 'info' | 'warn', text: string) => void;
}

export class TrainingProcess {
  /** The run's folder; rejects if the run cannot begin. */
  readonly opened: Promise<string>;
  /** Settles when the process has ended: true if the run is finished, false if it was stopped. */
  readonly ended: Promise<boolean>;
  private readonly child: ChildProcess;

  constructor({ cliPath, config, device, log }: TrainingProcessOptions) {
    this.child = fork(cliPath, ['train', config, '--device', device], {
      silent: true,
      execArgv: [ONE_THREAD_GC],
    });
    let failure: TrainingError | undefined;
    let lastLine = '';
    this.child.stdout?.on('data', (text: Buffer) => log('info', text.toString().trimEnd()));
    this.child.stderr?.on('data', (text: Buffer) => {
      // A line for each step would bury everything else.
      const lines = text
        .toString()
        .split('\n')
        .filter((line) => line.trim() !== '' && !/^step \d+ of /.test(line));
      lastLine = lines.at(-1) ?? lastLine;
      if (lines.length > 0) log('warn', lines.join('\n'));
    });
    this.opened = new Promise((resolve, reject) => {
      this.child.on('message', (message: TrainingMessage) => {
        if (message.type === 'opened') resolve(message.folder);
        else failure = new TrainingError(message.message, message.where);
      });
      this.child.once('exit', () => reject(failure ?? new TrainingError('The run ended before it began')));
      this.child.once('error', reject);
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', (error) => reject(new TrainingError(messageOf(error))));
      this.child.once('exit', (code, signal) => {
        if (failure !== undefined) reject(failure);
        else if (code === 0 || code === CANCELLED) resolve(code === 0);
        else reject(new TrainingError(unexpected(code, signal, lastLine)));
      });
    });
    // Whoever waits for one of them is told; the other must not count as unhandled.
    this.opened.catch(() => undefined);
    this.ended.catch(() => undefined);
  }
}

/** Exit code of a command that was stopped. */
const CANCELLED = 130;

function unexpected(code: number | null, signal: NodeJS.Signals | null, lastLine: string): string {
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return (
    `The training process ended unexpectedly (${how}${lastLine === '' ? '' : `; ${lastLine}`}). ` +
    'Resuming goes on from its last checkpoint.'
  );
}

/** Where a run is to compute: a GPU is tried in a process of its own, which a missing driver may end. */
export async function chooseTrainingDevice(
  enginePath: string,
  requested: DeviceRequest,
): Promise<'cpu' | 'webgpu'> {
  if (requested !== 'auto') return requested;
  return new Promise((resolve) => {
    const probe = spawn(process.execPath, [enginePath, PROBE_ARGUMENT], {
      // In a desktop window the executable is Electron.
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
      stdio: 'ignore',
      timeout: PROBE_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    probe.once('error', () => resolve('cpu'));
    probe.once('exit', (code) => resolve(code === 0 ? 'webgpu' : 'cpu'));
  });
}
