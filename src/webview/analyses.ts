/** Analyses of the trace that is shown, as far as the page knows them: kept, being computed, or failed. */

import type { AnalysisName } from '../analysis/table.ts';
import { CancelledError, messageOf, UserError } from '../base/errors.ts';
import { setCalibration } from '../evidence/calibration.ts';
import type { AnalysesHost, AnalysisAnswer, AnalysisPart } from '../protocol/panelAnalyses.ts';
import type { Trace } from '../trace/schema.ts';

export interface AnalysisState<Name extends AnalysisName = AnalysisName> {
  /** Absent until the host has answered. */
  answer?: AnalysisAnswer<Name>;
  /** It is being computed: the request's id, and how far it is. */
  running?: { id: number; progress: string };
  /** What went wrong the last time. */
  problem?: string;
  /** With what it was asked then, where another model would mend it. */
  needsModel?: Record<string, unknown>;
}

export class Analyses {
  private readonly host: AnalysesHost;
  private readonly changed: () => void;
  private states = new Map<AnalysisName, AnalysisState>();
  private run: string | undefined;
  private kept = 0;
  private requests = 0;

  /** @param changed told when something is to be drawn anew */
  constructor(host: AnalysesHost, changed: () => void) {
    this.host = host;
    this.changed = changed;
  }

  /** Another trace has analyses of its own; the same one, sent again, may have more. */
  show(trace: Trace | undefined): void {
    const kept = trace?.analyses?.length ?? 0;
    if (trace?.id === this.run && kept === this.kept) return;
    const isSame = trace?.id === this.run;
    if (!isSame) for (const method of this.states.keys()) this.cancel(method);
    const running = [...this.states].filter(([, state]) => isSame && state.running !== undefined);
    this.states = new Map(running);
    this.run = trace?.id;
    this.kept = kept;
  }

  /** What is known; asks the host the first time. */
  state<Name extends AnalysisName>(method: Name): AnalysisState<Name> {
    let state = this.states.get(method);
    if (state === undefined) {
      this.states.set(method, (state = {}));
      void this.settle(method, state, (run) => this.host.analysis({ run, method }));
    }
    return state as AnalysisState<Name>;
  }

  /** The same without asking. */
  known<Name extends AnalysisName>(method: Name): AnalysisState<Name> | undefined {
    return this.states.get(method) as AnalysisState<Name> | undefined;
  }

  /** Has it computed with these parameters; parts that are known meanwhile replace what was there. */
  compute(method: AnalysisName, parameters: Record<string, unknown>): void {
    const id = this.requests++;
    const before = this.states.get(method);
    const state: AnalysisState = {
      ...(before?.answer && { answer: before.answer }),
      running: { id, progress: '' },
    };
    this.states.set(method, state);
    this.changed();
    void this.settle(method, state, (run) => this.host.analyse({ id, run, method, parameters }), parameters);
  }

  /** Has the reader choose the run's model, and asks again what failed for want of it. */
  async chooseModel(method: AnalysisName): Promise<void> {
    const state = this.states.get(method);
    const chosen = await this.host.chooseModel();
    const isSame = state !== undefined && this.states.get(method) === state;
    if (chosen && isSame && state.needsModel !== undefined) this.compute(method, state.needsModel);
  }

  cancel(method: AnalysisName): void {
    const running = this.states.get(method)?.running;
    if (running !== undefined) void this.host.cancelAnalysis(running.id).catch(() => undefined);
  }

  /** Has the controls tested anew, and shows what they say by then. */
  async calibrate(method: AnalysisName): Promise<void> {
    if (!(await this.host.calibrate())) return;
    const state: AnalysisState = { ...this.states.get(method) };
    this.states.set(method, state);
    await this.settle(method, state, (run) => this.host.analysis({ run, method }));
  }

  /** The host knows more of one that is being computed. */
  hear({ id, progress, result }: AnalysisPart): void {
    const state = [...this.states.values()].find(({ running }) => running?.id === id);
    if (state?.running === undefined) return;
    if (progress !== undefined) state.running = { id, progress };
    if (result !== undefined && state.answer !== undefined) {
      state.answer = { ...state.answer, found: { result, status: 'partial' } };
    }
    this.changed();
  }

  private async settle(
    method: AnalysisName,
    state: AnalysisState,
    ask: (run: string) => Promise<AnalysisAnswer>,
    parameters?: Record<string, unknown>,
  ): Promise<void> {
    try {
      state.answer = await ask(this.run ?? '');
      if (state.answer.calibration !== undefined) setCalibration(state.answer.calibration);
    } catch (error) {
      // Who stopped it knows.
      if (!(error instanceof CancelledError)) state.problem = messageOf(error);
      const isModel = error instanceof UserError && error.details.choose === 'model';
      if (isModel && parameters !== undefined) state.needsModel = parameters;
    }
    delete state.running;
    if (this.states.get(method) === state) this.changed();
  }
}
