/**
 * One panel of a run and of those that "Run again" made after it, one of which is shown. It gets every event while that
 * one goes on, and the whole trace whenever its page starts anew.
 */

import * as vscode from 'vscode';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import type { ImageInput } from '../../protocol/engine.ts';
import type { PanelSelection, PanelState } from '../../protocol/panel.ts';
import type { ActiveTrace } from './active.ts';
import type { EngineService } from '../engineService.ts';
import { chooseImages, readImages } from '../run/imageFiles.ts';
import type { Reporter } from '../report.ts';
import type { Runs } from '../run/runs.ts';
import { lockedReason } from '../trust.ts';
import { familyOf } from '../run/family.ts';
import type { RunSummary } from '../run/summary.ts';
import type { TraceLibrary, TraceRef } from './library.ts';
import type { PageAnalyses } from './pageAnalyses.ts';
import type { RunAnalyses } from './runAnalyses.ts';
import { TraceView, type PanelActions } from './view.ts';

/** What panels need from the rest of the extension. */
export interface PanelServices {
  extensionUri: vscode.Uri;
  engine: EngineService;
  library: TraceLibrary;
  runs: Runs;
  analyses: RunAnalyses;
  reporter: Reporter;
  active: ActiveTrace;
  memory: vscode.Memento;
  /** Notes which runs a panel has, and which it shows, for the next window. */
  remember: (title: string, runs: PanelRuns) => void;
  /** Runs the question of `panel` again, or another one that is asked for, in the same panel. */
  runAgain: (panel: TracePanel, edit?: boolean) => Promise<unknown>;
  /** Goes on from what is looked at, with something changed that is asked for. */
  branch: (ref: TraceRef, lookedAt: PanelSelection | undefined) => Promise<unknown>;
  /** Kept runs, for the tree of branches. */
  summaries: () => Promise<readonly RunSummary[]>;
  exportTrace: (ref: TraceRef) => Promise<unknown>;
  openAsText: (ref: TraceRef) => Promise<unknown>;
  compareWith: (ref: TraceRef) => Promise<unknown>;
}

/** The runs of a panel, oldest first. */
export interface PanelRuns {
  shown: string;
  history: string[];
}

export class TracePanel implements Disposable {
  /** Pictures that were added in the panel, for the next run. */
  readonly addedHelpers: ImageInput[] = [];

  private readonly store = new DisposableStore();
  private readonly services: PanelServices;
  private readonly panel: vscode.WebviewPanel;
  private readonly view: TraceView;
  private runId: string;
  private history: string[];
  private following: DisposableStore | undefined;
  private isOpen = true;
  private readonly visibility = new vscode.EventEmitter<boolean>();

  constructor(panel: vscode.WebviewPanel, { shown, history }: PanelRuns, services: PanelServices) {
    const { extensionUri, engine, memory } = services;
    this.panel = panel;
    this.services = services;
    this.runId = shown;
    this.history = history;
    panel.iconPath = {
      light: vscode.Uri.joinPath(extensionUri, 'media/panel-light.svg'),
      dark: vscode.Uri.joinPath(extensionUri, 'media/panel-dark.svg'),
    };
    this.view = this.store.add(
      new TraceView({
        panel,
        extensionUri,
        memory,
        actions: this.actions(),
        state: () => this.state(),
        use: (work) => services.library.use(this.ref, work),
        analyses: services.analyses.meansOf(() => this.runId),
      }),
    );
    // An open panel may run again at any time, so it keeps the model.
    this.store.add(engine.lease());
    this.store.add(
      panel.onDidChangeViewState(() => {
        this.markActive();
        this.visibility.fire(panel.visible);
      }),
    );
    this.store.add(
      vscode.workspace.onDidGrantWorkspaceTrust(() => services.reporter.watch(this.view.refresh())),
    );
    this.follow();
  }

  /** The run that is shown. */
  get run(): string {
    return this.runId;
  }

  get runs(): PanelRuns {
    return { shown: this.runId, history: [...this.history] };
  }

  /** What its tabs ask. */
  get analyses(): PageAnalyses {
    return this.view.analyses;
  }

  get ref(): TraceRef {
    return { run: this.runId };
  }

  /** Whether a run is the one shown, or was shown before or after it. */
  has(runId: string): boolean {
    return this.history.includes(runId);
  }

  /** Shows another run from now on; one that is new here stands last. */
  show(runId: string): void {
    this.runId = runId;
    if (!this.has(runId)) this.history = [...this.history, runId];
    this.follow();
    this.changed();
  }

  /** Takes a run out. If it is shown, another takes its place; without one the panel closes. */
  forget(runId: string, instead?: string): void {
    const at = this.history.indexOf(runId);
    if (at < 0) return;
    this.history = this.history.filter((run) => run !== runId);
    const next = instead ?? this.history[at] ?? this.history.at(-1);
    if (next === undefined) this.close();
    else if (this.runId === runId) this.show(next);
    else this.changed();
  }

  reveal(selection?: PanelSelection, column?: vscode.ViewColumn): void {
    this.panel.reveal(column);
    if (selection) this.view.select(selection);
  }

  /** What is looked at; undefined while the page is not there. */
  async selection(): Promise<PanelSelection | undefined> {
    return this.view.selection();
  }

  /** Resolves when the panel can be seen, or cannot; one that was closed is hidden for good. */
  async whenVisible(visible: boolean): Promise<void> {
    if ((this.isOpen && this.panel.visible) === visible) return;
    await new Promise<void>((resolve) => {
      const listener = this.visibility.event((isVisible) => {
        if (isVisible !== visible) return;
        listener.dispose();
        resolve();
      });
    });
  }

  close(): void {
    this.panel.dispose();
  }

  dispose(): void {
    this.isOpen = false;
    this.visibility.fire(false);
    this.visibility.dispose();
    this.services.active.leave(this);
    this.following?.dispose();
    this.store.dispose();
  }

  /** Passes on what happens in the current run, if it is a live one. */
  private follow(): void {
    this.following?.dispose();
    this.following = new DisposableStore();
    this.markActive();
    const run = this.services.runs.get(this.runId);
    if (run === undefined) return;
    this.following.add(
      run.onEvent((event) => {
        this.view.event(event);
        // The tree of branches is the host's to say, and this run was not in it when it was shown.
        if (event.type === 'prompt' && run.trace?.branch !== undefined)
          this.services.reporter.watch(this.view.refresh());
      }),
    );
    this.following.add(run.onProgress((message) => this.view.progress(message)));
  }

  private changed(): void {
    const { remember, reporter } = this.services;
    remember(this.panel.title, this.runs);
    reporter.watch(this.view.refresh());
  }

  /** Shows the run before or after the one shown. One that is not kept any more is told, and taken out. */
  private async showOther(by: -1 | 1): Promise<void> {
    const run = this.history[this.history.indexOf(this.runId) + by];
    if (run !== undefined) await this.showKept(run);
  }

  private async showKept(run: string): Promise<void> {
    const { runs, library } = this.services;
    try {
      if (runs.get(run) === undefined) await library.trace({ run });
    } catch (error) {
      this.forget(run);
      throw error;
    }
    this.show(run);
  }

  private async state(): Promise<PanelState> {
    const run = this.services.runs.get(this.runId);
    const trace = run === undefined ? await this.services.library.trace(this.ref) : run.trace;
    const locked = lockedReason();
    const { history } = this;
    const family = familyOf(this.runId, trace, await this.services.summaries());
    return {
      canRun: true,
      ...(family.length > 1 && { family }),
      ...(history.length > 1 && { history: { at: history.indexOf(this.runId), of: history.length } }),
      ...(locked !== undefined && { locked }),
      ...(trace && { trace }),
      ...(run?.progress !== undefined && { progress: run.progress }),
    };
  }

  private actions(): PanelActions {
    const { reporter, runs, runAgain, exportTrace, openAsText, compareWith } = this.services;
    // The page cannot show errors as well as the window can, so none goes back to it.
    const shown =
      <Args extends unknown[]>(action: (...args: Args) => Promise<unknown>) =>
      async (...args: Args): Promise<void> => {
        reporter.watch(action(...args));
      };
    return {
      cancel: async () => runs.get(this.runId)?.cancel(),
      runAgain: shown(() => runAgain(this)),
      askAgain: shown(() => runAgain(this, true)),
      branch: shown(async () => this.services.branch(this.ref, await this.selection())),
      showRun: shown(async (run: string) => this.showKept(run)),
      showOther: shown((by: -1 | 1) => this.showOther(by)),
      exportTrace: shown(() => exportTrace(this.ref)),
      openAsText: shown(() => openAsText(this.ref)),
      compareWith: shown(() => compareWith(this.ref)),
      addHelpers: async (files) => this.addHelpers(files),
      chooseHelpers: shown(() => this.chooseHelpers()),
    };
  }

  private async chooseHelpers(): Promise<void> {
    const uris = await chooseImages(vscode.l10n.t('Helper images to compare with the latents'));
    if (uris) this.addHelpers(await readImages(uris));
  }

  private addHelpers(files: ImageInput[]): void {
    if (files.length === 0) return;
    this.addedHelpers.push(...files);
    const { reporter, runAgain } = this.services;
    reporter.inform(
      vscode.l10n.t(
        '{0} helper images are compared with the latents on the next run.',
        this.addedHelpers.length,
      ),
      { title: vscode.l10n.t('Run again'), run: () => runAgain(this) },
    );
  }

  private markActive(): void {
    if (this.panel.active) this.services.active.enter(this, this.ref, () => this.view.selection());
  }
}
