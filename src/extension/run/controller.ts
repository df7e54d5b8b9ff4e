/**
 * One run, from waiting for its turn to its last event: asks the engine, folds events into the trace,
 * has it saved as it grows, and ends the trace whatever happens to the engine.
 */

import * as vscode from 'vscode';
import { CancelledError, messageOf } from '../../base/errors.ts';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import { EngineDiedError, EngineStoppedError } from '../../client/ends.ts';
import type { ImageInput, ReasonRequest } from '../../protocol/engine.ts';
import { applyEvent, startTrace, type ReasonEvent } from '../../trace/events.ts';
import type { Trace, TraceModel } from '../../trace/schema.ts';
import { requireModel } from '../../trace/sameModel.ts';
import { stepsOf } from '../../trace/steps.ts';
import type { EngineService } from '../engineService.ts';
import type { RunStore } from './store.ts';
import { verdictOf, type KnownAnswer } from './verdict.ts';
import type { RunSettings } from '../settings.ts';

/** Everything a run is made from; kept for "Run again". */
export interface RunRequest {
  question: string;
  images: ImageInput[];
  helpers: ImageInput[];
  settings: RunSettings;
  /** What a samples file says of the picture, if one knows it. */
  sample?: KnownAnswer;
  /** Of a run that goes on from a point of another. */
  branch?: RunBranch;
}

export interface RunBranch {
  /** That made the other run. */
  model: TraceModel;
  /** Puts into the file what stands before, and says what is asked. @param engine that has opened the model */
  build: (
    arrays: string,
    pictures: { images: ImageInput[]; helpers: ImageInput[] },
    engine: Pick<EngineService, 'targets'>,
  ) => Promise<Omit<ReasonRequest, 'id' | 'arrays'>>;
}

/** How a run ended. One that the engine's death ended has a failure, and so has a cancelled one if it took that. */
export interface RunResult {
  runId: string;
  status: 'complete' | 'cancelled' | 'failed';
  failure?: string;
}

export type RunPhase = 'waiting' | 'loading' | 'running' | 'ended';

export class RunController implements Disposable {
  readonly id: string;
  readonly request: RunRequest;
  /** When it was asked for; its trace begins when its turn has come. */
  readonly createdAt = new Date().toISOString();
  phase: RunPhase = 'waiting';
  /** Absent until the engine has begun. */
  trace: Trace | undefined;
  /** What goes on before the first event. */
  progress: string | undefined;
  /** Why it failed, and in which phase. */
  error: unknown;
  failedWhile: RunPhase | undefined;

  private readonly store = new DisposableStore();
  private readonly engine: EngineService;
  private readonly runs: RunStore;
  private readonly abort = new AbortController();
  private readonly events = this.store.add(new vscode.EventEmitter<ReasonEvent>());
  private readonly progressed = this.store.add(new vscode.EventEmitter<string | undefined>());

  readonly onEvent = this.events.event;
  readonly onProgress = this.progressed.event;

  constructor(id: string, request: RunRequest, engine: EngineService, runs: RunStore) {
    this.id = id;
    this.request = request;
    this.engine = engine;
    this.runs = runs;
  }

  /** Stops the run between two steps; the trace so far is kept. */
  cancel(): void {
    this.abort.abort();
  }

  get isCancelled(): boolean {
    return this.abort.signal.aborted;
  }

  /**
   * Runs when `turn` resolves. Rejects if the run could not be made (a bad image, no model);
   * an engine that died on the way gives a failed result and a partial trace instead.
   */
  async run(turn: Promise<void>): Promise<RunResult> {
    const lease = this.engine.lease();
    const listener = this.engine.onProgress(({ id, message, fraction }) => {
      if (id === this.id) this.report(withPercentage(message, fraction));
    });
    let held: Disposable | undefined;
    try {
      await this.waitFor(turn);
      // An analysis may be going on.
      held = await this.engine.turn(this.abort.signal);
      const status = await this.ask();
      this.judge();
      return { runId: this.id, status };
    } catch (error) {
      return this.failed(error);
    } finally {
      this.phase = 'ended';
      this.report(undefined);
      held?.dispose();
      listener.dispose();
      lease.dispose();
      if (this.trace) await this.runs.save(this.trace);
      else await this.runs.discard(this.id);
    }
  }

  /** "3 steps, 2 blocks": for the progress notification. */
  describe(): string {
    if (this.trace === undefined || this.progress !== undefined) return this.progress ?? '';
    const { blocks, tokens } = this.trace;
    return vscode.l10n.t(
      '{0} steps, {1} latent blocks, {2} tokens',
      stepsOf(this.trace).length,
      blocks.length,
      tokens.length,
    );
  }

  dispose(): void {
    this.cancel();
    this.store.dispose();
  }

  private async waitFor(turn: Promise<void>): Promise<void> {
    const stopped = new Promise<never>((_, reject) => {
      const stop = (): void => reject(new CancelledError('The run'));
      if (this.isCancelled) stop();
      this.abort.signal.addEventListener('abort', stop, { once: true });
    });
    // It may reject long after the wait is over.
    stopped.catch(() => undefined);
    await Promise.race([turn, stopped]);
  }

  private async ask(): Promise<'complete' | 'cancelled'> {
    const { model, adapter, device, weights, ...settings } = this.request.settings;
    const { question, images, helpers, branch, sample } = this.request;
    const { signal } = this.abort;
    this.phase = 'loading';
    this.report(vscode.l10n.t('Loading the model …'));
    const load = { id: this.id, folder: model, device, ...(adapter !== undefined && { adapter }) };
    let loaded = await this.engine.load({ ...load, weights }, signal);
    // A branch is computed as its parent was; only another format is opened anew, as what was read goes with it.
    const format = branch?.model.weights ?? loaded.model.weights;
    if (format !== undefined && format !== loaded.model.weights)
      loaded = await this.engine.load({ ...load, weights: format }, signal);
    if (branch !== undefined) requireModel(loaded.model, branch.model);
    this.phase = 'running';
    this.report(vscode.l10n.t('Encoding pictures …'));
    const arrays = await this.runs.prepareArrays(this.id);
    if (sample !== undefined) await this.runs.keepSample(this.id, sample);
    const asked =
      branch === undefined
        ? { question, images, helpers, ...settings }
        : await branch.build(
            arrays,
            { images, helpers },
            { targets: (run) => this.engine.targets(run, signal) },
          );
    const request = { id: this.id, arrays, ...asked };
    return this.engine.reason(request, (event) => this.apply(event), signal);
  }

  private apply(event: ReasonEvent): void {
    if (event.type === 'start') this.trace = startTrace(event);
    else if (this.trace !== undefined) applyEvent(this.trace, event);
    // What the run gives now says more than how it was prepared.
    if (event.type === 'token' && this.progress !== undefined) this.report(undefined);
    if (this.trace !== undefined) this.runs.schedule(this.trace);
    this.events.fire(event);
  }

  /** Says whether the answer is right, where the samples file knows. */
  private judge(): void {
    const { sample } = this.request;
    const verdict = this.trace && sample && verdictOf(this.trace, sample);
    if (verdict !== undefined) this.apply({ type: 'verdict', verdict });
  }

  private failed(error: unknown): RunResult {
    const cancelled = error instanceof CancelledError;
    const status = cancelled ? 'cancelled' : 'failed';
    const isPlain = cancelled && !(error instanceof EngineStoppedError);
    const failure = isPlain ? undefined : messageOf(error);
    if (this.trace?.status === 'running') {
      this.apply({ type: 'done', status, ...(failure !== undefined && { failure }) });
    }
    if (cancelled) return { runId: this.id, status, ...(failure !== undefined && { failure }) };
    this.error = error;
    this.failedWhile = this.phase;
    if (error instanceof EngineDiedError && this.trace !== undefined) {
      return { runId: this.id, status, failure: error.message };
    }
    throw error;
  }

  private report(message: string | undefined): void {
    this.progress = message;
    this.progressed.fire(message);
  }
}

/** How far something is, for a reader. */
export function withPercentage(message: string, fraction: number | undefined): string {
  return fraction === undefined ? message : `${message} (${Math.floor(fraction * 100)} %)`;
}
