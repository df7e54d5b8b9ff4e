/**
 * The client's end of the engine: one process at a time, a new one after each end, and no call that waits
 * for ever, whatever happens to the process.
 */

import type { Disposable } from '../base/disposable.ts';
import type { AnalysisName, AnalysisResult } from '../analysis/table.ts';
import { CancelledError, messageOf } from '../base/errors.ts';
import type {
  DeviceReport,
  PlannedModel,
  EngineEvents,
  EngineInfo,
  LoadedModel,
  LoadRequest,
  MemoryPlan,
  ReasonRequest,
} from '../protocol/engine.ts';
import type { AnalyseRequest, AnalysisOutcome, RunQuestion } from '../protocol/analyse.ts';
import type { ReasonEvent } from '../trace/events.ts';
import { EngineDiedError, EngineStoppedError, untilAborted } from './ends.ts';
import { EngineProcess, type EngineLog, type EngineProcessOptions } from './engineProcess.ts';

export interface EngineClientOptions {
  /** The engine's bundle, dist/engine.cjs. */
  enginePath: string;
  log: EngineLog;
  progress?: EngineEvents['progress'];
  /** What a load will take, before anything is opened. */
  planned?: (plan: MemoryPlan) => void;
  /** The process has gone; `reason` says how. The next call starts a new one. */
  exited?: (reason: string) => void;
  /** What a test does not want to wait for. */
  patience?: Partial<typeof PATIENCE_MS>;
}

/** How long the engine may be silent. Who is not answered by then ends it: a new process is there within a second. */
const PATIENCE_MS = {
  /** From its start to its first answer. */
  start: 60_000,
  /** While it has nothing to do. */
  idle: 10_000,
  /** After a cancel: it looks between two steps. */
  cancel: 5_000,
};

export class EngineClient implements Disposable {
  private readonly options: EngineClientOptions;
  private readonly patience: typeof PATIENCE_MS;
  private current: EngineProcess | undefined;
  /** The engine that opened the model. */
  private loadedIn: EngineProcess | undefined;
  private readonly listeners = new Map<string, (event: ReasonEvent) => void>();
  private readonly finders = new Map<string, (result: AnalysisResult<AnalysisName>) => void>();
  private disposed = false;

  constructor(options: EngineClientOptions) {
    this.options = options;
    this.patience = { ...PATIENCE_MS, ...options.patience };
  }

  /**
   * Starts the engine if none runs.
   * @throws CancelledError as soon as the signal is aborted
   */
  async info(signal?: AbortSignal): Promise<EngineInfo> {
    return (await this.connect(signal)).started;
  }

  async load(request: LoadRequest, signal?: AbortSignal): Promise<LoadedModel> {
    const engine = await this.connect(signal);
    const loaded = await this.cancellable(engine, request.id, signal, () => engine.rpc.load(request));
    this.loadedIn = engine;
    return loaded;
  }

  async unload(): Promise<void> {
    await this.current?.rpc.unload();
  }

  /**
   * Runs a question; `onEvent` gets every event before the promise settles, with the place of its run: 0 for the
   * request's own, then its variants.
   * @throws EngineDiedError if the engine ends, or the one that had opened the model has ended
   * @throws EngineStoppedError if it did not answer a cancel
   */
  async reason(
    request: ReasonRequest,
    onEvent: (event: ReasonEvent, run: number) => void,
    signal?: AbortSignal,
  ): Promise<{ status: 'complete' | 'cancelled' }> {
    const engine = await this.connect(signal);
    if (this.loadedIn?.failure !== undefined) throw new EngineDiedError('since the model was opened');
    const ids = [request, ...(request.variants ?? [])].map(({ id }) => id);
    ids.forEach((id, run) => this.listeners.set(id, (event) => onEvent(event, run)));
    try {
      return await this.cancellable(engine, request.id, signal, () => engine.rpc.reason(request));
    } finally {
      for (const id of ids) this.listeners.delete(id);
    }
  }

  /**
   * Analyses a run of the loaded model; `onFound` gets what is known so far, if it comes in parts.
   * @throws EngineDiedError and EngineStoppedError as `reason` does
   */
  async analyse<Name extends AnalysisName>(
    request: AnalyseRequest & { name: Name },
    onFound: (result: AnalysisResult<Name>) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<AnalysisOutcome<Name>> {
    const engine = await this.connect(signal);
    if (this.loadedIn?.failure !== undefined) throw new EngineDiedError('since the model was opened');
    this.finders.set(request.id, onFound as (result: AnalysisResult<AnalysisName>) => void);
    try {
      return await this.cancellable(engine, request.id, signal, () => engine.rpc.analyse(request));
    } finally {
      this.finders.delete(request.id);
    }
  }

  /**
   * What the trainer's teacher selects for a run's latents, by block.
   * @throws EngineDiedError and EngineStoppedError as `reason` does
   */
  async targets(question: RunQuestion, signal?: AbortSignal): Promise<Float32Array[][]> {
    const engine = await this.connect(signal);
    if (this.loadedIn?.failure !== undefined) throw new EngineDiedError('since the model was opened');
    return this.cancellable(engine, question.id, signal, () => engine.rpc.targets(question));
  }

  /** What a model would take; opens nothing. */
  async plan(request: Pick<LoadRequest, 'folder' | 'adapter' | 'device'>): Promise<PlannedModel> {
    return (await this.connect()).rpc.plan(request);
  }

  /** Tries all devices. */
  async devices(): Promise<DeviceReport[]> {
    return (await this.connect()).rpc.devices();
  }

  async diagnose(): Promise<string[]> {
    return (await this.connect()).rpc.diagnose();
  }

  /** Ends the engine at once; pending calls reject. */
  kill(): void {
    this.current?.end(new EngineDiedError('it was ended here'));
  }

  dispose(): void {
    this.disposed = true;
    this.kill();
  }

  /** An engine that answers: the one that is there, or a new one. */
  private async connect(signal?: AbortSignal): Promise<EngineProcess> {
    if (signal?.aborted) throw new CancelledError();
    await untilAborted(signal, this.endIfHung());
    const engine = (this.current ??= this.start());
    try {
      await untilAborted(signal, engine.started);
    } catch (error) {
      // Nothing is lost with an engine that has not even started.
      engine.end(new EngineDiedError('it was stopped at its start'));
      throw error;
    }
    return engine;
  }

  /** One that computes may be silent for long: whoever waits for it can cancel. An idle one may not. */
  private async endIfHung(): Promise<void> {
    const { current } = this;
    if (current?.isIdle !== true || (await current.answers(this.patience.idle))) return;
    if (current.failure === undefined) this.options.log('warn', 'The engine does not answer any more.');
    current.end(new EngineDiedError('it did not answer any more'));
  }

  private start(): EngineProcess {
    const { enginePath, log } = this.options;
    const ended = (how: string): void => {
      // The next call starts a new engine, also while this one is still ending.
      if (this.current === engine) this.current = undefined;
      if (!this.disposed) this.options.exited?.(how);
    };
    const { start: patience } = this.patience;
    const engine = openEngine({ enginePath, log, handlers: this.handlers(), patience, ended });
    return engine;
  }

  private handlers(): EngineEvents {
    return {
      progress: (progress) => this.options.progress?.(progress),
      planned: (plan) => this.options.planned?.(plan),
      event: (id, event) => this.listeners.get(id)?.(event),
      found: (id, result) => this.finders.get(id)?.(result),
      log: ({ level, text }) => this.options.log(level, text),
    };
  }

  /** Work that the signal cancels: by asking the engine first, and by its end if it does not answer. */
  private async cancellable<T>(
    engine: EngineProcess,
    id: string,
    signal: AbortSignal | undefined,
    call: () => Promise<T>,
  ): Promise<T> {
    if (signal?.aborted) throw new CancelledError();
    const { cancel: wait } = this.patience;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const cancel = (): void => {
      engine.rpc.cancel(id).catch(() => undefined);
      timer = setTimeout(() => {
        const stopped = new EngineStoppedError(wait);
        this.options.log('error', stopped.message);
        engine.end(stopped);
      }, wait);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await engine.work(call);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    }
  }
}

/** A system without memory or processes to spare refuses at once. */
function openEngine(options: EngineProcessOptions): EngineProcess {
  try {
    return new EngineProcess(options);
  } catch (error) {
    throw new EngineDiedError(messageOf(error));
  }
}
