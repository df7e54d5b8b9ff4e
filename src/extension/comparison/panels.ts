/** The pages that compare two runs: one for each pair, back after a reload. */

import * as vscode from 'vscode';
import * as z from 'zod';
import { DisposableStore, type Disposable } from '../../base/disposable.ts';
import { CancelledError, UserError } from '../../base/errors.ts';
import type { AnalysisResult } from '../../analysis/table.ts';
import { analyseRequest } from '../../client/analyseRequest.ts';
import { compareRuns, type RunComparison } from '../../comparison/compare.ts';
import { likenessOf, type BlockLikeness } from '../../comparison/latents.ts';
import {
  SIDES,
  type ComparedRun,
  type ComparisonPageHost,
  type ComparisonPageMethods,
  type ComparisonState,
  type Side,
} from '../../protocol/comparison.ts';
import type { AnalysisOutcome } from '../../protocol/analyse.ts';
import { packed } from '../../protocol/pack.ts';
import { connect } from '../../protocol/rpc.ts';
import { keptAnalysis, loadResult, storedAnalysis, type AnalysisKey } from '../../trace/analyses.ts';
import type { Trace } from '../../trace/schema.ts';
import { requireTwo } from '../../traceFile/identity.ts';
import type { OpenTrace } from '../../traceFile/openTrace.ts';
import { panelHtml, resourceRoot } from '../panelHtml.ts';
import type { Reporter } from '../report.ts';
import { isSameRef, nameOf, type TraceLibrary, type TraceRef } from '../trace/library.ts';
import { PageRequests } from '../trace/pageRequests.ts';
import type { RunAnalyses } from '../trace/runAnalyses.ts';
import { lockedReason } from '../trust.ts';
import { createPage } from '../window.ts';

/** Also the serializer's key and part of an activation event, so it must never change. */
export const COMPARISON_PANEL = 'ilvr.comparison';

/** The analysis that compares distributions. */
const METHOD = 'divergence';

export interface ComparisonServices {
  extensionUri: vscode.Uri;
  library: TraceLibrary;
  analyses: RunAnalyses;
  reporter: Reporter;
  /** Shows a trace in its own panel or editor. */
  show: (ref: TraceRef) => Promise<void>;
}

type Refs = Record<Side, TraceRef>;

/** A comparison, for code. */
export interface ComparisonResult {
  comparison: RunComparison;
  latents: BlockLikeness[] | undefined;
  divergence?: AnalysisResult<'divergence'>;
}

/** What a page keeps of what it shows. */
const pageState = z.looseObject({ refs: z.object({ a: z.string(), b: z.string() }) });

export class ComparisonPanels implements vscode.WebviewPanelSerializer, Disposable {
  private readonly store = new DisposableStore();
  private readonly services: ComparisonServices;
  private readonly pages = new Set<ComparisonPanel>();

  constructor(services: ComparisonServices) {
    this.services = services;
    this.store.add(vscode.window.registerWebviewPanelSerializer(COMPARISON_PANEL, this));
  }

  /** @throws UserError if both are one trace, one still goes on, or one cannot be opened */
  async open(refs: Refs): Promise<ComparisonPanel> {
    const { library, extensionUri } = this.services;
    const existing = [...this.pages].find((page) =>
      SIDES.every((side) => isSameRef(page.refs[side], refs[side])),
    );
    if (existing !== undefined) {
      existing.panel.reveal();
      return existing;
    }
    const [a, b] = [await library.trace(refs.a), await library.trace(refs.b)];
    requireEnded(refs.a, a);
    requireEnded(refs.b, b);
    await requireTwo(a, b);
    const title = vscode.l10n.t('{0} and {1}', nameOf(refs.a, a), nameOf(refs.b, b));
    return this.add(createPage(COMPARISON_PANEL, title, resourceRoot(extensionUri)), refs);
  }

  /** VS Code gives back a page of the last window. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const known = pageState.safeParse(state);
    if (!known.success) return panel.dispose();
    const { a, b } = known.data.refs;
    this.add(panel, { a: refFrom(a), b: refFrom(b) });
  }

  dispose(): void {
    this.store.dispose();
    for (const { panel } of this.pages) panel.dispose();
  }

  private add(panel: vscode.WebviewPanel, refs: Refs): ComparisonPanel {
    const page = new ComparisonPanel(panel, refs, this.services);
    this.pages.add(page);
    panel.onDidDispose(() => {
      this.pages.delete(page);
      page.dispose();
    });
    return page;
  }
}

/** Of one that goes on, alignment and figures would be those of a moment. @throws UserError */
function requireEnded(ref: TraceRef, trace: Trace): void {
  if (!('run' in ref) || trace.status !== 'running') return;
  throw new UserError({
    problem: 'A run that still goes on cannot be compared',
    found: nameOf(ref, trace),
    remedy: 'Wait until it has ended, or stop it.',
  });
}

export class ComparisonPanel implements Disposable {
  readonly panel: vscode.WebviewPanel;
  readonly refs: Refs;
  private readonly store = new DisposableStore();
  private readonly services: ComparisonServices;
  private readonly page: ReturnType<typeof connect<ComparisonPageMethods, ComparisonPageHost>>;
  private readonly requests: Record<Side, PageRequests>;
  /** VS Code ends a hidden page's script; `ready` comes again. */
  private isReady = false;
  private computing: AbortController | undefined;

  constructor(panel: vscode.WebviewPanel, refs: Refs, services: ComparisonServices) {
    const { extensionUri, library, reporter } = services;
    this.panel = panel;
    this.refs = refs;
    this.services = services;
    panel.iconPath = {
      light: vscode.Uri.joinPath(extensionUri, 'media/panel-light.svg'),
      dark: vscode.Uri.joinPath(extensionUri, 'media/panel-dark.svg'),
    };
    const requestsOf = (side: Side): PageRequests =>
      new PageRequests((work) => library.use(this.refs[side], work));
    this.requests = { a: requestsOf('a'), b: requestsOf('b') };
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: [resourceRoot(extensionUri)] };
    this.page = connect<ComparisonPageMethods, ComparisonPageHost>(
      this.methods(),
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
    this.store.add(
      library.onDidChange((changed) => {
        if (SIDES.some((side) => isSameRef(changed, this.refs[side]))) reporter.watch(this.refresh());
      }),
    );
    this.store.add(vscode.workspace.onDidGrantWorkspaceTrust(() => reporter.watch(this.refresh())));
    webview.html = panelHtml(webview, extensionUri, panel.title, 'comparison');
  }

  dispose(): void {
    this.leave();
    this.computing?.abort(new CancelledError('The divergence'));
    this.store.dispose();
    this.page.$close();
  }

  /** What the page shows, for who asked from code. @param divergence whether the model is asked too */
  async result({ divergence = false } = {}): Promise<ComparisonResult> {
    if (divergence) await this.compute();
    return this.withBoth(async (a, b) => {
      const comparison = compareRuns(a.trace, b.trace);
      const { divergence: kept } = await this.state();
      return {
        comparison,
        latents: await likenessOf(a, b, comparison.blocks),
        ...(kept && { divergence: kept }),
      };
    });
  }

  private leave(): void {
    this.isReady = false;
    for (const side of SIDES) this.requests[side].cancelAll();
  }

  private async refresh(): Promise<void> {
    if (this.isReady) await this.page.show.asEvent(await this.state());
  }

  private methods(): ComparisonPageHost {
    const { reporter, show } = this.services;
    return {
      ready: async () => {
        try {
          const state = await this.state();
          this.isReady = true;
          await this.page.show.asEvent(state);
        } catch (error) {
          // A run that is not kept any more: there is nothing to show.
          reporter.show(error);
          this.panel.dispose();
        }
      },
      slice: async ({ side, ...request }) => this.requestsOf(side).slice(request),
      cancelSlice: async ({ side, id }) => this.requestsOf(side).cancelSlice(id),
      picture: async ({ side, ...request }) => this.requestsOf(side).picture(request),
      likeness: async () =>
        (await this.withBoth((a, b) => likenessOf(a, b, compareRuns(a.trace, b.trace).blocks))) ?? null,
      computeDivergence: async () => {
        try {
          await this.compute();
        } catch (error) {
          // The page cannot show errors as well as the window can.
          reporter.show(error);
        }
      },
      cancelDivergence: async () => this.computing?.abort(new CancelledError('The divergence')),
      openRun: async (side) => reporter.watch(show(this.refs[sideOf(side)])),
    };
  }

  private requestsOf(side: unknown): PageRequests {
    return this.requests[sideOf(side)];
  }

  private async withBoth<T>(work: (a: OpenTrace, b: OpenTrace) => Promise<T>): Promise<T> {
    const { library } = this.services;
    return library.use(this.refs.a, (a) => library.use(this.refs.b, (b) => work(a, b)));
  }

  private async state(): Promise<ComparisonState> {
    return this.withBoth(async (a, b) => {
      const kept = keptAnalysis(a.trace, { method: METHOD, parameters: {}, other: b.trace.id });
      const locked = lockedReason();
      return {
        a: this.named('a', a),
        b: this.named('b', b),
        refs: { a: textOf(this.refs.a), b: textOf(this.refs.b) },
        ...(kept && { divergence: await loadResult(METHOD, kept, a.trace, a.container) }),
        ...(locked !== undefined && { locked }),
      };
    });
  }

  private named(side: Side, { trace }: OpenTrace): ComparedRun {
    return { name: nameOf(this.refs[side], trace), trace };
  }

  /** With A's model; kept with A, where that is a run of ours. */
  private async compute(): Promise<void> {
    if (this.computing !== undefined) return;
    const abort = (this.computing = new AbortController());
    const { analyses } = this.services;
    const tell = (part: Parameters<ComparisonPageMethods['found']>[0]): void => {
      if (this.isReady) void this.page.found.asEvent(part);
    };
    try {
      await this.withBoth(async (a, b) => {
        const request = await analyseRequest(a.trace, a.container, {
          name: METHOD,
          parameters: {},
          other: b,
        });
        const heard = { progress: (progress: string) => tell({ progress }), found: () => undefined };
        const outcome = await analyses.compute(this.refs.a, request, heard, abort.signal);
        const { status, result, ...origin } = outcome as typeof outcome & AnalysisOutcome<'divergence'>;
        if (result === undefined) return;
        tell({ result });
        if (status !== 'complete' || !('run' in this.refs.a)) return;
        const key: AnalysisKey<'divergence'> = { method: METHOD, parameters: {}, other: b.trace.id };
        await analyses.keep(this.refs.a.run, (sink) =>
          storedAnalysis(key, result, { ...origin, status }, sink),
        );
      });
    } finally {
      this.computing = undefined;
      tell({});
    }
  }
}

/** It comes from a page, so it is not believed. */
function sideOf(side: unknown): Side {
  return side === 'b' ? 'b' : 'a';
}

/** As text, for a page to keep. */
function textOf(ref: TraceRef): string {
  return 'run' in ref ? `run:${ref.run}` : ref.file.toString();
}

function refFrom(text: string): TraceRef {
  return text.startsWith('run:') ? { run: text.slice(4) } : { file: vscode.Uri.parse(text, true) };
}
