/**
 * The host's end of one webview that shows a trace: its page, its channel, its lifetime. Used by run
 * panels and by the editor for trace files.
 */

import * as vscode from 'vscode';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import { nextTurn } from '../../base/turn.ts';
import type { PanelHost, PanelMethods, PanelSelection, PanelState } from '../../protocol/panel.ts';
import { packed } from '../../protocol/pack.ts';
import { connect } from '../../protocol/rpc.ts';
import { inParts } from '../../protocol/traceParts.ts';
import type { ReasonEvent } from '../../trace/events.ts';
import { panelHtml, resourceRoot } from '../panelHtml.ts';
import { PageAnalyses, type AnalysisMeans } from './pageAnalyses.ts';
import { PageRequests, type UseTrace } from './pageRequests.ts';
import { saveFigure } from './saveFigure.ts';

const PREFERENCES_KEY = 'ilvr.panelPreferences';

/** What the reader can ask for; the rest is the view's own business. */
export type PanelActions = Omit<
  PanelHost,
  'ready' | 'remember' | 'saveFigure' | keyof PageRequests | keyof PageAnalyses
>;

export interface TraceViewOptions {
  panel: vscode.WebviewPanel;
  extensionUri: vscode.Uri;
  actions: PanelActions;
  /** What is to be shown now. */
  state: () => PanelState | Promise<PanelState>;
  /** Works with the trace that is shown now. */
  use: UseTrace;
  /** What analyses can be computed with. */
  analyses: AnalysisMeans;
  /** Of the window; holds what panels wish to be remembered. */
  memory: vscode.Memento;
}

export class TraceView implements Disposable {
  readonly analyses: PageAnalyses;
  private readonly store = new DisposableStore();
  private readonly options: TraceViewOptions;
  private readonly panel: ReturnType<typeof connect<PanelMethods, PanelHost>>;
  /** VS Code ends a hidden webview's script; what is sent then is lost, and `ready` comes again. */
  private isReady = false;
  /** How often a state was sent: a later one ends the parts of those before it. */
  private shown = 0;
  private readonly requests: PageRequests;
  private pendingSelection: PanelSelection | undefined;

  constructor(options: TraceViewOptions) {
    this.options = options;
    const { panel, extensionUri, actions, use } = options;
    this.requests = new PageRequests(use);
    this.analyses = new PageAnalyses(use, options.analyses, (part) => {
      if (this.isReady) void this.panel.found.asEvent(part);
    });
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: [resourceRoot(extensionUri)] };
    this.panel = connect<PanelMethods, PanelHost>(
      {
        ...actions,
        ready: () => this.ready(),
        slice: (request) => this.requests.slice(request),
        cancelSlice: (id) => this.requests.cancelSlice(id),
        picture: (request) => this.requests.picture(request),
        analysis: (request) => this.analyses.analysis(request),
        analyse: (request) => this.analyses.analyse(request),
        cancelAnalysis: (id) => this.analyses.cancelAnalysis(id),
        chooseModel: () => this.analyses.chooseModel(),
        calibrate: () => this.analyses.calibrate(),
        saveFigure,
        remember: async (preferences) => options.memory.update(PREFERENCES_KEY, preferences),
      },
      packed({
        post: (message) => void webview.postMessage(message),
        on: (listener) => this.store.add(webview.onDidReceiveMessage(listener)),
      }),
    );
    this.store.add(
      panel.onDidChangeViewState(() => {
        if (!panel.visible) this.leave();
      }),
    );
    webview.html = panelHtml(webview, extensionUri, panel.title);
  }

  /** Replaces everything shown, if anything is. */
  async refresh(): Promise<void> {
    if (!this.isReady) return;
    await this.show(await this.state());
  }

  /** Passes one event on; a panel that is not there yet will get the whole trace instead. */
  event(event: ReasonEvent): void {
    if (this.isReady) void this.panel.event.asEvent(event);
  }

  progress(message: string | undefined): void {
    if (this.isReady) void this.panel.progress.asEvent(message ?? null);
  }

  /** Moves the selection, now or as soon as the page is there. */
  select(selection: PanelSelection): void {
    if (this.isReady) void this.panel.select.asEvent(selection);
    else this.pendingSelection = selection;
  }

  /** What is looked at; undefined while the page is not there. */
  async selection(): Promise<PanelSelection | undefined> {
    return this.isReady ? this.panel.selection() : undefined;
  }

  dispose(): void {
    this.leave();
    // A hidden page's go on, and what they find is kept.
    this.analyses.cancelAll();
    this.store.dispose();
    this.panel.$close();
  }

  /** The page is not there any more. */
  private leave(): void {
    this.isReady = false;
    this.requests.cancelAll();
  }

  private async ready(): Promise<void> {
    // What a page before this one was asking for is nobody's.
    this.requests.cancelAll();
    const state = await this.state();
    // From here on events are passed on; none can slip between the snapshot and this line.
    this.isReady = true;
    const shown = this.show(state);
    if (this.pendingSelection) this.select(this.pendingSelection);
    this.pendingSelection = undefined;
    await shown;
  }

  private async show({ trace, ...rest }: PanelState): Promise<void> {
    const showing = ++this.shown;
    const { head, parts } = trace === undefined ? { parts: [] } : inParts(trace);
    await this.panel.show.asEvent({ ...rest, ...(head && { trace: head }), toCome: parts.length });
    for (const part of parts) {
      await nextTurn();
      if (!this.isReady || this.shown !== showing) return;
      await this.panel.part.asEvent(part);
    }
  }

  private async state(): Promise<PanelState> {
    const { state, memory } = this.options;
    return { ...(await state()), preferences: memory.get<unknown>(PREFERENCES_KEY) ?? null };
  }
}
