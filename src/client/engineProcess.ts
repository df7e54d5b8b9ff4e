/** One engine process from its start to its end: the handshake, the calls that are pending, and how it ended. */

import type { ChildProcess } from 'node:child_process';
import { messageOf, UserError } from '../base/errors.ts';
import { startChild } from '../process/children.ts';
import { endOf, shortEnding, within } from '../process/ending.ts';
import {
  ENGINE_PROTOCOL_VERSION,
  type EngineEvents,
  type EngineInfo,
  type EngineMethods,
  type MemoryPlan,
} from '../protocol/engine.ts';
import { connect } from '../protocol/rpc.ts';
import { causeOf, EngineDiedError } from './ends.ts';

export type EngineLog = (level: 'info' | 'warn' | 'error', text: string) => void;

export interface EngineProcessOptions {
  enginePath: string;
  log: EngineLog;
  handlers: EngineEvents;
  /** Milliseconds from the start to the first answer. */
  patience: number;
  /** Called once, when it can be called no more, with how it ended. */
  ended: (how: string) => void;
}

export class EngineProcess {
  readonly rpc: ReturnType<typeof connect<EngineMethods, EngineEvents>>;
  /** Settles with the handshake. */
  readonly started: Promise<EngineInfo>;
  /** Why it can be called no more. */
  failure: Error | undefined;
  private readonly options: EngineProcessOptions;
  private readonly child: ChildProcess;
  /** Of the model that was loaded last, or was to be. */
  private plan: MemoryPlan | undefined;
  private answered = false;
  private working = 0;

  constructor(options: EngineProcessOptions) {
    const { enginePath, handlers } = options;
    this.options = options;
    this.child = startChild(enginePath, [], { serialization: 'advanced' });
    const planned = (plan: MemoryPlan): void => {
      this.plan = plan;
      handlers.planned(plan);
    };
    this.rpc = connect<EngineMethods, EngineEvents>(
      { ...handlers, planned },
      {
        post: (message) => {
          // A message to a dead process is answered by its end, not by an exception here.
          if (this.child.connected) this.child.send(message as object, () => undefined);
        },
        on: (listener) => this.child.on('message', listener),
      },
    );
    this.listen();
    this.started = this.shakeHands();
    this.started.catch(() => undefined);
  }

  /** Whether it has started and nothing is asked of it: it answers at once then, if ever. */
  get isIdle(): boolean {
    return this.answered && this.working === 0;
  }

  /** @returns whether it answers in time */
  answers(milliseconds: number): Promise<boolean> {
    return within(milliseconds, this.hello());
  }

  /** Waits for work that may keep the process from answering anything else. */
  async work<T>(call: () => Promise<T>): Promise<T> {
    this.working += 1;
    try {
      return await call();
    } finally {
      this.working -= 1;
    }
  }

  /** Ends the process, if it has not ended by itself; what is pending rejects at once, whatever the system does. */
  end(failure: Error, how = messageOf(failure)): void {
    if (this.failure !== undefined) return;
    this.failure = failure;
    // Also ends a process that is stopped.
    this.child.kill('SIGKILL');
    this.rpc.$close(failure);
    this.options.ended(how);
  }

  private hello(): Promise<EngineInfo> {
    return this.rpc.hello({ version: ENGINE_PROTOCOL_VERSION });
  }

  private listen(): void {
    const { child } = this;
    const { log } = this.options;
    child.stdout?.on('data', (text: Buffer) => log('info', text.toString().trimEnd()));
    child.stderr?.on('data', (text: Buffer) => log('warn', text.toString().trimEnd()));
    void endOf(child).then((ending) => {
      const how = shortEnding(ending);
      this.end(new EngineDiedError(how, causeOf(ending, this.plan)), how);
    });
  }

  private async shakeHands(): Promise<EngineInfo> {
    const { patience } = this.options;
    const timer = setTimeout(() => {
      this.end(new EngineDiedError(`no answer within ${patience / 1000} s of its start`));
    }, patience);
    try {
      const info = await this.hello();
      if (info.version !== ENGINE_PROTOCOL_VERSION) throw otherVersion(info);
      this.answered = true;
      return info;
    } catch (error) {
      this.end(error as Error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function otherVersion({ version }: EngineInfo): UserError {
  return new UserError({
    problem: 'The engine is of another version than the extension',
    expected: `protocol ${ENGINE_PROTOCOL_VERSION}`,
    found: String(version),
    remedy: 'Reload the window; if that does not help, reinstall the extension.',
  });
}
