/**
 * Stands in for VS Code in a plain browser page: a fake acquireVsCodeApi, and a host that serves a trace. Arrays stay
 * outside the page, as they stay outside a webview; whoever drives the page answers for them (previewArrays.ts).
 * Bundled into the preview page before the panel's own script.
 */

import { decode } from 'zod';
import { translated } from '../../src/base/l10n.ts';
import type { PanelHost, PanelMethods, PanelState } from '../../src/protocol/panel.ts';
import { packed } from '../../src/protocol/pack.ts';
import { connect } from '../../src/protocol/rpc.ts';
import { inParts } from '../../src/protocol/traceParts.ts';
import { traceSchema, type Trace } from '../../src/trace/schema.ts';
import { formOf } from '../../src/analysis/form.ts';
import { ANALYSES, type PanelAnalysis } from '../../src/analysis/table.ts';
import type { AnalysisAnswer } from '../../src/protocol/panelAnalyses.ts';
import { adoptLanguage } from '../../src/webview/language.ts';
import { sampleResult } from './sampleAnalyses.ts';
import { ask, askForSlices } from './pageArrays.ts';
import { keptState } from './previewState.ts';
import { eventsOf } from './replay.ts';

/** What the script outside the page does with it. */
export interface PreviewControls {
  /** Names of the host's methods in the order the panel called them, without those about arrays. */
  calls: string[];
  state: unknown;
  saved: number[][];
  /** What the panel asked to be kept for other panels. */
  remembered: unknown;
  /** When the last trace was sent to the panel, by the page's clock in milliseconds. */
  sentAt: number;
  /** When the panel asked for its state, likewise. */
  readyAt: number;
  /** Nothing is stored of the page when it goes. */
  forget(): void;
  /** The trace keeps these from now on. */
  keep(methods: PanelAnalysis[]): void;
  /** What is being computed is done. */
  finishAnalysis(): void;
  show(json: string | undefined, rest: Omit<PanelState, 'trace'>): Promise<void>;
  /** The same in two parts, so that reading a manifest, which is the host's work, is not measured as the page's. */
  prepare(json: string): void;
  showPrepared(rest: Omit<PanelState, 'trace'>): Promise<void>;
  progress(message: string | null): Promise<void>;
  select(latent: number): Promise<void>;
  /** Replays up to `count` events of a trace, one per frame; ends as the trace does if all are sent. */
  replay(json: string, count: number): Promise<void>;
  finish(status: 'cancelled' | 'failed', failure?: string): Promise<void>;
}

// The host's own sentences are in the reader's language too.
adoptLanguage();

const toHost: ((message: unknown) => void)[] = [];
const calls: string[] = [];
let remembered: unknown;
/** Bytes of what was saved. */
const saved: number[][] = [];
let sentAt = 0;
let readyAt = 0;
performance.mark('script');
const state = keptState();

const record = (name: string) => async (): Promise<void> => {
  calls.push(name);
};

let shown: Trace | undefined;
let canCompute = false;
/** Analyses that the trace keeps, as the page sees it. */
const kept = new Set<PanelAnalysis>();
/** With what each was computed last. */
const used = new Map<PanelAnalysis, Record<string, unknown>>();
/** Ends what is being computed, by the request's id. */
const stopped = new Map<number, () => void>();

const answerOf = (method: PanelAnalysis, status: 'partial' | 'complete' = 'complete'): AnalysisAnswer => ({
  method,
  about: {
    title: translated(ANALYSES[method].title),
    method: translated(ANALYSES[method].method),
    source: translated(ANALYSES[method].source),
    limits: translated(ANALYSES[method].limits),
  },
  canCompute: canCompute || method === 'similarity',
  command: `ilvr analyse TRACE ${method} --save`,
  fields: formOf(method, used.get(method)),
  ...(kept.has(method) && {
    found: { result: sampleResult(shown!, method), status, model: 'sample-model', device: 'cpu (sample)' },
  }),
});

/** Half of the answer at once, the whole when it is let go on or stopped. */
const analyse = async (
  id: number,
  method: PanelAnalysis,
  parameters: Record<string, unknown>,
): Promise<AnalysisAnswer> => {
  calls.push(`analyse ${method}`);
  used.set(method, parameters);
  await panel.found({ id, progress: 'Layer 3 of 8' });
  await panel.found({ id, result: sampleResult(shown!, method) });
  const how = await new Promise<'partial' | 'complete'>((resolve) => {
    stopped.set(id, () => resolve('partial'));
    finishAnalysis = () => resolve('complete');
  });
  kept.add(method);
  return answerOf(method, how);
};
let finishAnalysis = (): void => undefined;

const panel = connect<PanelMethods, PanelHost>(
  {
    ready: async () => {
      readyAt = performance.now();
      calls.push('ready');
    },
    slice: (request) => askForSlices(request),
    cancelSlice: async (id) => void (await ask({ type: 'cancel', id })),
    picture: async (request) => (await ask({ type: 'picture', ...request }))[0]!,
    analysis: async ({ method }) => answerOf(method as PanelAnalysis),
    analyse: ({ id, method, parameters }) => analyse(id, method as PanelAnalysis, parameters),
    cancelAnalysis: async (id) => stopped.get(id)?.(),
    chooseModel: async () => false,
    calibrate: async () => false,
    saveFigure: async ({ name, kind, bytes }) => {
      calls.push(`save ${name}.${kind}`);
      saved.push([...bytes]);
    },
    cancel: record('cancel'),
    runAgain: record('runAgain'),
    askAgain: record('askAgain'),
    showOther: record('showOther'),
    exportTrace: record('exportTrace'),
    branch: async () => {
      calls.push('branch');
    },
    showRun: async (run) => {
      calls.push(`showRun ${run}`);
    },
    compareWith: async () => {
      calls.push('compareWith');
    },
    openAsText: async () => {
      calls.push('openAsText');
      throw new Error('The preview has no text editor.');
    },
    addHelpers: record('addHelpers'),
    chooseHelpers: record('chooseHelpers'),
    remember: async (preferences) => {
      calls.push('remember');
      remembered = preferences;
    },
  },
  packed({
    post: (message) => window.postMessage(message, '*'),
    on: (listener) => toHost.push(listener),
  }),
);

async function show(trace: Trace | undefined, rest: Omit<PanelState, 'trace'>): Promise<void> {
  shown = trace;
  canCompute = rest.canRun;
  sentAt = performance.now();
  const { head, parts } = trace === undefined ? { parts: [] } : inParts(trace);
  await panel.show({ ...rest, ...(head && { trace: head }), toCome: parts.length });
  for (const part of parts) await panel.part(part);
}

let prepared: Trace | undefined;

function traceOf(json: string): Trace {
  return decode(traceSchema, JSON.parse(json) as Parameters<typeof decode<typeof traceSchema>>[1]);
}

Object.assign(window, {
  acquireVsCodeApi: () => ({
    postMessage: (message: unknown) => toHost.forEach((listener) => listener(structuredClone(message))),
    getState: state.get,
    setState: state.set,
  }),
  preview: {
    calls,
    saved,
    get state() {
      return state.get();
    },
    get remembered() {
      return remembered;
    },
    get sentAt() {
      return sentAt;
    },
    get readyAt() {
      return readyAt;
    },
    forget: state.forget,
    keep: (methods) => methods.forEach((method) => kept.add(method)),
    finishAnalysis: () => finishAnalysis(),
    show: (json, rest) => show(json === undefined ? undefined : traceOf(json), rest),
    prepare: (json) => {
      prepared = traceOf(json);
    },
    showPrepared: (rest) => show(prepared, rest),
    progress: (message) => panel.progress(message),
    select: (latent) => panel.select({ latent }),
    replay: async (json, count) => {
      for (const event of eventsOf(traceOf(json)).slice(0, count)) {
        await panel.event(event);
        await new Promise(requestAnimationFrame);
      }
    },
    finish: (status, failure) =>
      panel.event({ type: 'done', status, ...(failure !== undefined && { failure }) }),
  } satisfies PreviewControls,
});
