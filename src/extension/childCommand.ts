/**
 * A command of `ilvr` as a child of the extension host. What it computes is in its files; it ends by itself when the
 * host goes: after the step or sample that is going on, saved.
 */

import type { ChildProcess } from 'node:child_process';
import { UserError } from '../base/errors.ts';
import { startChild } from '../process/children.ts';
import { endOf, likelyCause, shortEnding, unexpectedEnd, type Ending } from '../process/ending.ts';
import type { ChildMessage } from '../protocol/child.ts';

/** Exit code of a command that was stopped. */
const CANCELLED = 130;

/** What a command said before it ended; its text names file and line already. */
export class CommandError extends UserError {
  /** What can be opened. */
  readonly place: string | undefined;

  constructor(message: string, place?: string) {
    super({ problem: message.replace(/\.$/, '') });
    this.name = 'CommandError';
    this.place = place;
  }
}

export interface CommandOptions {
  /** dist/cli.cjs */
  cliPath: string;
  args: readonly string[];
  execArgv?: readonly string[];
  /** For messages: "training". */
  what: string;
  /** What to do after an unexpected end, as a sentence. */
  next: string;
  /** Lines of the error stream that would bury everything else. */
  isProgress?: (line: string) => boolean;
  /** Told how far it is, from 0 to 1, where the command says so. */
  progress?: (fraction: number) => void;
  log: (level: 'info' | 'warn', text: string) => void;
}

/** @typeParam Opening the message that says where the results are */
export class ChildCommand<Opening extends Exclude<ChildMessage['type'], 'failed' | 'progress'>> {
  /** Where its results are; rejects if it cannot begin. */
  readonly opened: Promise<Extract<ChildMessage, { type: Opening }>>;
  /** Settles when the process has ended: true if it is done, false if it was stopped. */
  readonly ended: Promise<boolean>;
  private readonly child: ChildProcess;

  constructor(
    opening: Opening,
    { cliPath, args, execArgv = [], what, next, isProgress, progress, log }: CommandOptions,
  ) {
    this.child = startChild(cliPath, [...args], { execArgv: [...execArgv], endsItself: true });
    let failure: CommandError | undefined;
    let lastLine = '';
    this.child.stdout?.on('data', (text: Buffer) => log('info', text.toString().trimEnd()));
    this.child.stderr?.on('data', (text: Buffer) => {
      const lines = text
        .toString()
        .split('\n')
        .filter((line) => line.trim() !== '' && isProgress?.(line) !== true);
      lastLine = lines.at(-1) ?? lastLine;
      if (lines.length > 0) log('warn', lines.join('\n'));
    });
    const opened = new Promise<Extract<ChildMessage, { type: Opening }>>((resolve) => {
      this.child.on('message', (message: ChildMessage) => {
        if (message.type === 'failed') failure = new CommandError(message.message, message.where);
        else if (message.type === 'progress') progress?.(message.fraction);
        else if (message.type === opening) resolve(message as Extract<ChildMessage, { type: Opening }>);
      });
    });
    this.ended = endOf(this.child).then((ending) => {
      if (failure !== undefined) throw failure;
      if (ending.code === 0 || ending.code === CANCELLED) return ending.code === 0;
      throw new CommandError(unexpected(what, next, { ...ending, errors: lastLine || ending.errors }));
    });
    const tooEarly = this.ended.then(() =>
      Promise.reject(new CommandError(`The ${what} ended before it began`)),
    );
    this.opened = Promise.race([opened, tooEarly]);
    // Whoever waits for one of them is told; the other must not count as unhandled.
    this.opened.catch(() => undefined);
    this.ended.catch(() => undefined);
  }

  /** Asks it to end after what it is doing now; what is done is kept. */
  stop(): void {
    if (this.child.connected) this.child.disconnect();
  }

  /** Ends it at once. */
  kill(): void {
    this.child.kill('SIGKILL');
  }
}

function unexpected(what: string, next: string, ending: Ending): string {
  return unexpectedEnd(what, shortEnding(ending), likelyCause(ending), next);
}
