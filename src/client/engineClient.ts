/**
 * The client's end of the engine: starts the child process, shakes hands, and makes sure that
 * whatever happens to the process, no caller waits for ever.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { messageOf, UserError } from '../base/errors.ts';
import type { Disposable } from '../base/disposable.ts';
import {
  ENGINE_PROTOCOL_VERSION,
  type EngineEvents,
  type EngineInfo,
  type EngineMethods,
  type LoadedModel,
  type LoadRequest,
  type ReasonRequest,
} from '../protocol/engine.ts';
import { connect } from '../protocol/rpc.ts';
import type { ReasonEvent } from '../trace/events.ts';

export interface EngineClientOptions {
  /** The engine's bundle, dist/engine.cjs. */
  enginePath: string;
  log: (level: 'info' | 'warn' | 'error', text: string) => void;
  progress?: (progress: { id: string; message: string; fraction?: number }) => void;
  /** The process has gone; `reason` says how. The next call starts a new one. */
  exited?: (reason: string) => void;
}

/** The engine process died while something was pending. */
export class EngineDiedError extends Error {
  constructor(how: string) {
    super(
      `The engine process ended unexpectedly (${how}). What was computed so far is kept; run again to go on.`,
    );
    this.name = 'EngineDiedError';
  }
}

interface Connection {
  child: ChildProcess;
  rpc: ReturnType<typeof connect<EngineMethods, EngineEvents>>;
  info: EngineInfo;
}

export class EngineClient implements Disposable {
  private readonly options: EngineClientOptions;
  private connection: Promise<Connection> | undefined;
  private child: ChildProcess | undefined;
  private readonly listeners = new Map<string, (event: ReasonEvent) => void>();
  private disposed = false;

  constructor(options: EngineClientOptions) {
    this.options = options;
  }

  /** Starts the process if none runs. */
  async info(): Promise<EngineInfo> {
    return (await this.connect()).info;
  }

  async load(request: LoadRequest, signal?: AbortSignal): Promise<LoadedModel> {
    const { rpc } = await this.connect();
    return this.cancellable(request.id, signal, () => rpc.load(request));
  }

  async unload(): Promise<void> {
    if (this.connection !== undefined) await (await this.connection).rpc.unload();
  }

  /** Runs a question; `onEvent` gets every event before the promise settles. */
  async reason(
    request: ReasonRequest,
    onEvent: (event: ReasonEvent) => void,
    signal?: AbortSignal,
  ): Promise<{ status: 'complete' | 'cancelled' }> {
    const { rpc } = await this.connect();
    this.listeners.set(request.id, onEvent);
    try {
      return await this.cancellable(request.id, signal, () => rpc.reason(request));
    } finally {
      this.listeners.delete(request.id);
    }
  }

  async diagnose(): Promise<string[]> {
    return (await this.connect()).rpc.diagnose();
  }

  /** Ends the process at once; pending calls reject. */
  kill(): void {
    const { child } = this;
    this.forget(child);
    child?.kill('SIGKILL');
  }

  dispose(): void {
    this.disposed = true;
    this.kill();
  }

  private connect(): Promise<Connection> {
    this.connection ??= this.start();
    return this.connection;
  }

  private async start(): Promise<Connection> {
    const child = fork(this.options.enginePath, [], { serialization: 'advanced', silent: true });
    this.child = child;
    let stderr = '';
    child.stdout?.on('data', (text: Buffer) => this.options.log('info', text.toString().trimEnd()));
    child.stderr?.on('data', (text: Buffer) => {
      stderr = (stderr + text.toString()).slice(-2000);
      this.options.log('warn', text.toString().trimEnd());
    });
    const rpc = connect<EngineMethods, EngineEvents>(this.handlers(), {
      post: (message) => {
        // A message to a dead process is answered by the exit handler, not by an exception here.
        if (child.connected) child.send(message as object, () => undefined);
      },
      on: (listener) => child.on('message', listener),
    });
    const ended = new Promise<never>((_, reject) => {
      child.once('error', (error) => {
        // Where the process could not even start, no exit follows.
        this.forget(child);
        reject(new EngineDiedError(messageOf(error)));
      });
      child.once('exit', (code, signal) => {
        const how = signal ? `signal ${signal}` : `exit code ${code}${stderr ? `; ${lastLine(stderr)}` : ''}`;
        const error = new EngineDiedError(how);
        this.forget(child);
        reject(error);
        rpc.$close(error);
        if (!this.disposed) this.options.exited?.(how);
      });
    });
    ended.catch(() => undefined);
    const info = await Promise.race([rpc.hello({ version: ENGINE_PROTOCOL_VERSION }), ended]);
    if (info.version !== ENGINE_PROTOCOL_VERSION) {
      this.kill();
      throw new UserError({
        problem: 'The engine is of another version than the extension',
        expected: `protocol ${ENGINE_PROTOCOL_VERSION}`,
        found: String(info.version),
        remedy: 'Reload the window; if that does not help, reinstall the extension.',
      });
    }
    return { child, rpc, info };
  }

  /** The next call starts a new process, also while this one is still ending. */
  private forget(child: ChildProcess | undefined): void {
    if (this.child !== child) return;
    this.connection = undefined;
    this.child = undefined;
  }

  private handlers(): EngineEvents {
    return {
      progress: (progress) => this.options.progress?.(progress),
      event: (id, event) => this.listeners.get(id)?.(event),
      log: ({ level, text }) => this.options.log(level, text),
    };
  }

  private async cancellable<T>(
    id: string,
    signal: AbortSignal | undefined,
    call: () => Promise<T>,
  ): Promise<T> {
    const cancel = (): void => {
      void this.connection?.then(({ rpc }) => rpc.cancel(id)).catch(() => undefined);
    };
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel);
    try {
      return await call();
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
