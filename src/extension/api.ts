/** What activate() returns: enough for tests and other extensions to see what happened. */

import type { Event, TreeItem, Uri } from 'vscode';
import type { TableState } from '../protocol/evaluation.ts';
import type { AnalysesHost } from '../protocol/panelAnalyses.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Trace } from '../trace/schema.ts';
import type { RunResult } from './run/controller.ts';
import type { RunSummary } from './run/summary.ts';
import type { RunSettings } from './settings.ts';
import type { PanelRuns } from './trace/panel.ts';

export type { RunResult, RunSummary };

/** Second argument of `ilvr.reason` when it is called from code: no dialog is shown. */
export interface ReasonOptions {
  question?: string;
  /** URIs of helper images. */
  helpers?: { toString(): string }[];
  settings?: Partial<RunSettings>;
  /** What to do while another run is active; waits unless told. */
  whenBusy?: 'wait' | 'stop';
}

/** A samples file's table, for tests and other extensions. */
export interface SamplesTableApi {
  /** What its page is shown. */
  state(): TableState;
  /** The figures as `ilvr evaluate --table` prints them. */
  figures(form: 'markdown' | 'latex' | 'csv'): string;
  /** Ends the evaluation after the samples at work; what is done is kept. */
  stop(): void;
  /** Runs the sample of a line as the evaluation did. @returns the run's id */
  openRun(line: number): Promise<string | undefined>;
  /** Writes a report of the first `limit` samples. @returns its file; undefined if it was cancelled */
  writeReport(
    limit: number | undefined,
    out?: string,
    settings?: Partial<RunSettings>,
  ): Promise<string | undefined>;
}

/** The analyses of a run's panel, for tests and other extensions: what is computed is shown there, and kept with the run. */
export interface PanelAnalysesApi extends Omit<AnalysesHost, 'chooseModel'> {
  /** @param folder asked for if absent */
  chooseModel(folder?: string): Promise<boolean>;
}

export interface InspectorApi {
  /** Kept runs, newest first. */
  runs(): Promise<RunSummary[]>;
  /** A run's trace, live or from disk. */
  traceOf(runId: string): Promise<Trace>;
  /** Every event of every run, as the engine sent it. */
  onEvent: Event<{ runId: string; event: ReasonEvent }>;
  /** Process id of the engine while it runs. */
  enginePid(): number | undefined;
  /** The last error that was shown. */
  lastError(): string | undefined;
  /** The lines of the view "Runs", days and runs, from top to bottom. */
  runLines(): Promise<TreeItem[]>;
  /** The table of a samples file that is open. */
  samplesTable(file: Uri): SamplesTableApi | undefined;
  /** Of each run panel, which runs it has, oldest first, and which it shows. */
  panelRuns(): PanelRuns[];
  /** Analyses as the tabs of a run's panel ask for them; undefined where no panel shows the run. */
  panelAnalyses(runId: string): PanelAnalysesApi | undefined;
}
