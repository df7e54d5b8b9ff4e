/**
 * The one engine process, shared by all runs and panels.
 *
 * It starts with the first call and is restarted by the next call after a death. Whoever may need the
 * model again holds a lease; when the last lease has gone the process ends after a grace period, so
 * that closing one panel and opening another does not load the model twice.
 */

import * as vscode from 'vscode';
import { activityText } from '../base/activity.ts';
import { DisposableStore, type Disposable } from '../base/disposable.ts';
import type { AnalysisName, AnalysisResult } from '../analysis/table.ts';
import { untilAborted } from '../client/ends.ts';
import { EngineClient } from '../client/engineClient.ts';
import type { AnalyseRequest, AnalysisOutcome, RunQuestion } from '../protocol/analyse.ts';
import type {
  DeviceReport,
  LoadedModel,
  LoadRequest,
  PlannedModel,
  ReasonRequest,
} from '../protocol/engine.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Log } from './log.ts';

/** How long an unused model stays in memory. */
const GRACE_MS = 5 * 60_000;

export type EngineState = 'off' | 'loading' | 'ready';

export interface EngineStatus {
  state: EngineState;
  /** The model that is open, or was last. */
  loaded?: LoadedModel;
}

export interface EngineProgress {
  id: string;
  /** In the window's language. */
  message: string;
  fraction?: number;
}

export class EngineService implements Disposable {
  private readonly store = new DisposableStore();
  private readonly client: EngineClient;
  private readonly changed = this.store.add(new vscode.EventEmitter<EngineStatus>());
  private readonly progressed = this.store.add(new vscode.EventEmitter<EngineProgress>());
  private readonly log: Log;
  /** Folder of quantised weights. */
  private readonly weightsCache: string;
  private leases = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private current: EngineStatus = { state: 'off' };
  private processId: number | undefined;
  /** Settles when all who asked for a turn so far have had it. */
  private turns: Promise<void> = Promise.resolve();

  readonly onDidChange = this.changed.event;
  readonly onProgress = this.progressed.event;

  /** @param weightsCache folder of quantised weights */
  constructor(enginePath: string, weightsCache: string, log: Log) {
    this.log = log;
    this.weightsCache = weightsCache;
    this.client = this.store.add(
      new EngineClient({
        enginePath,
        log: (level, text) => log.write(level, text),
        progress: ({ activity, ...rest }) =>
          this.progressed.fire({ ...rest, message: activityText(activity) }),
        exited: (reason) => this.exited(reason),
      }),
    );
  }

  get status(): EngineStatus {
    return this.current;
  }

  /** The process that runs now. */
  get pid(): number | undefined {
    return this.processId;
  }

  /** Keeps the model in memory until the lease is disposed. */
  lease(): Disposable {
    this.leases += 1;
    clearTimeout(this.timer);
    let held = true;
    return {
      dispose: () => {
        if (held) this.release();
        held = false;
      },
    };
  }

  /**
   * Waits until nobody else works with the engine, which does one thing at a time. Who comes later waits until what is
   * returned is disposed.
   * @throws CancelledError if the signal is aborted before
   */
  async turn(signal: AbortSignal): Promise<Disposable> {
    const before = this.turns;
    let end: () => void = () => undefined;
    const own = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.turns = before.then(() => own);
    try {
      await untilAborted(signal, before);
    } catch (error) {
      end();
      throw error;
    }
    return { dispose: end };
  }

  /** Opens a model; the engine keeps one that is already open on that device. */
  async load(request: Omit<LoadRequest, 'weightsCache'>, signal: AbortSignal): Promise<LoadedModel> {
    await this.start(signal);
    this.update({ ...this.current, state: 'loading' });
    try {
      const loaded = await this.client.load({ ...request, weightsCache: this.weightsCache }, signal);
      this.log.write(
        'info',
        `${loaded.model.name} is open on ${loaded.device.provider} (${loaded.device.name}) after ${Math.round(loaded.milliseconds)} ms: ${loaded.plan.reason}. ${loaded.device.reason}`,
      );
      this.update({ state: 'ready', loaded });
      return loaded;
    } catch (error) {
      this.update({ state: 'off' });
      throw error;
    }
  }

  /** What the trainer's teacher selects for a run's latents, with the open model. */
  async targets(question: RunQuestion, signal?: AbortSignal): Promise<Float32Array[][]> {
    return this.client.targets(question, signal);
  }

  /** Answers a question with the open model. */
  async reason(
    request: ReasonRequest,
    onEvent: (event: ReasonEvent) => void,
    signal: AbortSignal,
  ): Promise<'complete' | 'cancelled'> {
    await this.start(signal);
    return (await this.client.reason(request, onEvent, signal)).status;
  }

  /** Analyses a run of the open model; `onFound` gets what is known so far. */
  async analyse(
    request: AnalyseRequest,
    onFound: (result: AnalysisResult<AnalysisName>) => void,
    signal: AbortSignal,
  ): Promise<AnalysisOutcome> {
    await this.start(signal);
    return this.client.analyse(request, onFound, signal);
  }

  /** What the devices are, as lines of text. */
  diagnose(): Promise<string[]> {
    return this.asked(() => this.client.diagnose());
  }

  /** Tries all devices. */
  devices(): Promise<DeviceReport[]> {
    return this.asked(() => this.client.devices());
  }

  /** What a model would take in each format of its weights. */
  plan(request: Pick<LoadRequest, 'folder' | 'adapter' | 'device'>): Promise<PlannedModel> {
    return this.asked(() => this.client.plan(request));
  }

  private async asked<T>(question: () => Promise<T>): Promise<T> {
    const lease = this.lease();
    try {
      this.processId = (await this.client.info()).pid;
      return await question();
    } finally {
      lease.dispose();
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.store.dispose();
  }

  private async start(signal: AbortSignal): Promise<void> {
    this.processId = (await this.client.info(signal)).pid;
  }

  private release(): void {
    this.leases -= 1;
    if (this.leases > 0) return;
    clearTimeout(this.timer);
    // Ending the process gives all memory back, which no runtime promises for unloading a model.
    this.timer = setTimeout(() => this.client.kill(), GRACE_MS);
  }

  private exited(reason: string): void {
    this.processId = undefined;
    if (this.leases > 0) this.log.write('error', `The engine process ended: ${reason}.`);
    else this.log.write('info', 'The engine process ended: the model was no longer in use.');
    this.update({ state: 'off' });
  }

  private update(status: EngineStatus): void {
    this.current = status;
    this.changed.fire(status);
  }
}
