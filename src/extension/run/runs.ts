/** All runs of this window: one at a time on the engine, the others wait for their turn. */

import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import type { ReasonEvent } from '../../trace/events.ts';
import type { EngineService } from '../engineService.ts';
import { requireTrust } from '../trust.ts';
import { RunController, type RunRequest, type RunResult } from './controller.ts';
import type { RunStore } from './store.ts';
import type { KnownAnswer } from './verdict.ts';

export const RUNS_NEED_TRUST = 'Models run in trusted workspaces only';

/** Finished runs kept in memory; older ones are read from disk when asked for. */
const IN_MEMORY = 5;

export interface RunEvent {
  run: RunController;
  event: ReasonEvent;
}

export class Runs implements Disposable {
  private readonly store = new DisposableStore();
  private readonly engine: EngineService;
  private readonly runStore: RunStore;
  private readonly byId = new Map<string, RunController>();
  private readonly happened = this.store.add(new vscode.EventEmitter<RunEvent>());
  private readonly changed = this.store.add(new vscode.EventEmitter<RunController>());
  private turn: Promise<void> = Promise.resolve();

  /** Events of every run, after they were folded into its trace. */
  readonly onEvent = this.happened.event;
  /** A run was added or has ended. */
  readonly onDidChange = this.changed.event;

  constructor(engine: EngineService, runStore: RunStore) {
    this.engine = engine;
    this.runStore = runStore;
  }

  get(id: string): RunController | undefined {
    return this.byId.get(id);
  }

  all(): RunController[] {
    return [...this.byId.values()];
  }

  /** What a samples file says of a run's picture, also of a run of an earlier window. */
  async sampleOf(id: string): Promise<KnownAnswer | undefined> {
    return this.get(id)?.request.sample ?? this.runStore.sampleOf(id);
  }

  /** Runs that have not ended, the running one first. */
  active(): RunController[] {
    return this.all().filter(({ phase }) => phase !== 'ended');
  }

  /**
   * Adds a run; it starts when the ones before it have ended.
   * @throws TrustError
   */
  start(request: RunRequest): { run: RunController; done: Promise<RunResult> } {
    requireTrust(RUNS_NEED_TRUST);
    const run = this.store.add(new RunController(randomUUID(), request, this.engine, this.runStore));
    this.byId.set(run.id, run);
    this.store.add(run.onEvent((event) => this.happened.fire({ run, event })));
    const done = run.run(this.turn).finally(() => {
      this.forgetOld();
      this.changed.fire(run);
    });
    const ended = done.then(
      () => undefined,
      () => undefined,
    );
    this.turn = Promise.all([this.turn, ended]).then(() => undefined);
    this.changed.fire(run);
    return { run, done };
  }

  /** Forgets a run that has ended. */
  forget(id: string): void {
    if (this.byId.get(id)?.phase === 'ended') this.byId.delete(id);
  }

  dispose(): void {
    this.store.dispose();
  }

  private forgetOld(): void {
    const ended = this.all().filter(({ phase }) => phase === 'ended');
    for (const run of ended.slice(0, -IN_MEMORY)) this.byId.delete(run.id);
  }
}
