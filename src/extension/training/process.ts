/**
 * One process of a training run, `ilvr train`, as a child of the extension host. It ends by itself when
 * the host goes: after the step that is going on, saved.
 */

import type { ChildProcess } from 'node:child_process';
import { UserError } from '../../base/errors.ts';
import { startChild } from '../../process/children.ts';
import { endOf, likelyCause, shortEnding, unexpectedEnd, type Ending } from '../../process/ending.ts';
import { tryDevice } from '../../process/gpuProbe.ts';
import { TRAINING_DEVICES, type DeviceChoice, type TrainingDevice } from '../../tensor/device.ts';
import type { ChildMessage } from '../../protocol/child.ts';

/**
 * The runtime hands a batch's gradients over in 10 MB of new arrays, which V8 collects beside the computing and
 * on the same cores: without its helper threads a step takes 3 % less (docs/log.md).
 */
const ONE_THREAD_GC = '--single-threaded-gc';

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
  device: TrainingDevice;
  log: (level: 'info' | 'warn', text: string) => void;
}

export class TrainingProcess {
  /** The run's folder; rejects if the run cannot begin. */
  readonly opened: Promise<string>;
  /** Settles when the process has ended: true if the run is finished, false if it was stopped. */
  readonly ended: Promise<boolean>;
  private readonly child: ChildProcess;

  constructor({ cliPath, config, device, log }: TrainingProcessOptions) {
    const args = ['train', config, '--device', device];
    this.child = startChild(cliPath, args, { execArgv: [ONE_THREAD_GC], endsItself: true });
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
    const opened = new Promise<string>((resolve) => {
      this.child.on('message', (message: ChildMessage) => {
        if (message.type === 'opened') resolve(message.folder);
        else if (message.type === 'failed') failure = new TrainingError(message.message, message.where);
      });
    });
    this.ended = endOf(this.child).then((ending) => {
      if (failure !== undefined) throw failure;
      if (ending.code === 0 || ending.code === CANCELLED) return ending.code === 0;
      throw new TrainingError(unexpected({ ...ending, errors: lastLine || ending.errors }));
    });
    const tooEarly = this.ended.then(() =>
      Promise.reject(new TrainingError('The run ended before it began')),
    );
    this.opened = Promise.race([opened, tooEarly]);
    // Whoever waits for one of them is told; the other must not count as unhandled.
    this.opened.catch(() => undefined);
    this.ended.catch(() => undefined);
  }

  /** Ends it at once; what it has learnt since its last checkpoint is lost. */
  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** Exit code of a command that was stopped. */
const CANCELLED = 130;

function unexpected(ending: Ending): string {
  const next = 'Resuming goes on from its last checkpoint.';
  return unexpectedEnd('training', shortEnding(ending), likelyCause(ending), next);
}

/** Where a run is to compute: what was asked for where training knows it, else a GPU that works, else the CPU. */
export async function chooseTrainingDevice(
  enginePath: string,
  requested: DeviceChoice,
): Promise<TrainingDevice> {
  const asked = TRAINING_DEVICES.find((device) => device === requested);
  if (asked !== undefined) return asked;
  return (await tryDevice(enginePath, 'webgpu')).works ? 'webgpu' : 'cpu';
}
