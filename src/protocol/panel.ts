/**
 * Both directions of the channel between the extension host and a panel's webview.
 *
 * The panel shows one trace. It asks for it with `ready`, gets its manifest, and then the events of the run as they
 * happen; both sides fold events with the same function (trace/events.ts). What it draws it asks for in slices of the
 * trace's arrays, which the host reads from their file: neither side ever holds them all.
 */

import type { MapKind } from '../heatmap/map.ts';
import type { Choice } from '../trace/choice.ts';
import type { Query } from '../trace/queries.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Trace } from '../trace/schema.ts';
import type { AnalysesHost, AnalysisPart } from './panelAnalyses.ts';
import type { TracePart } from './traceParts.ts';

/** Host → panel. */
export interface PanelMethods {
  /** Replaces everything shown, once as many parts of the trace as `toCome` says have followed. */
  show(state: PanelState): Promise<void>;
  /** More of the trace that was sent last. */
  part(part: TracePart): Promise<void>;
  /** One more event of the run that is shown. */
  event(event: ReasonEvent): Promise<void>;
  /** Progress before the first event ("loading the model"); null when it is over (JSON knows no undefined). */
  progress(message: string | null): Promise<void>;
  /** Moves the selection, for links from outside and from the trace's text document. */
  select(selection: PanelSelection): Promise<void>;
  /** What is looked at, for a link to it. */
  selection(): Promise<PanelSelection>;
  /** More is known of an analysis that was asked for. */
  found(part: AnalysisPart): Promise<void>;
}

/** Panel → host. */
export interface PanelHost extends AnalysesHost {
  /** The panel's script has started; the host answers with `show`. */
  ready(): Promise<void>;
  /**
   * Slices of the arrays of the trace that is shown; `run` is its id, so that an answer never belongs to another.
   * @param id of the request, to cancel it by
   */
  slice(request: { id: number; run: string; query: Query }): Promise<Float32Array[]>;
  /** The answer to that request is not needed any more; it rejects. */
  cancelSlice(id: number): Promise<void>;
  /** The PNG of a picture of the trace that is shown, by the picture's id. */
  picture(request: { run: string; picture: string }): Promise<Uint8Array>;
  /** Saves a figure, or numbers, where the reader says. */
  saveFigure(figure: { name: string; kind: 'svg' | 'png' | 'csv'; bytes: Uint8Array }): Promise<void>;
  cancel(): Promise<void>;
  runAgain(): Promise<void>;
  /** As runAgain, with a question that is asked for; the one shown is offered. */
  askAgain(): Promise<void>;
  /** The run goes on from what is looked at, with something changed that is asked for. */
  branch(): Promise<void>;
  /** Shows a run of the tree of branches. */
  showRun(run: string): Promise<void>;
  /** Shows the panel's run before the one shown, or the one after it. */
  showOther(by: -1 | 1): Promise<void>;
  exportTrace(): Promise<void>;
  openAsText(): Promise<void>;
  /** Compares the run with another that is asked for. */
  compareWith(): Promise<void>;
  /** Pictures dropped into the panel or chosen: compared with the run's latents on the next run. */
  addHelpers(files: { name: string; bytes: Uint8Array }[]): Promise<void>;
  chooseHelpers(): Promise<void>;
  /** How the reader draws and lays out, for panels to come; the page alone knows what is in it. */
  remember(preferences: object): Promise<void>;
}

export interface PanelState {
  /** Absent before the run has started. */
  trace?: Trace;
  /** Parts of the trace that follow; none unless told. */
  toCome?: number;
  /** Name of the file when it was opened from one. */
  fileName?: string;
  /** A viewer of a file has no run to be made again or to add helpers to; what goes on from its trace is a run of its own. */
  canRun: boolean;
  /** Which of the panel's runs is shown, from 0, when it has several. */
  history?: { at: number; of: number };
  /** The run, what it branched from, and all that branched from that, as a tree read from above; absent where it is alone. */
  family?: FamilyMember[];
  /** Why nothing can be run now; absent when it can. */
  locked?: string;
  progress?: string;
  /** What the last panel wished to be remembered; the page checks it. */
  preferences?: unknown;
}

/** A run of a tree of branches. */
export interface FamilyMember {
  run: string;
  /** What was changed, or that it is the first. */
  label: string;
  /** Branches above it. */
  depth: number;
  answer?: string;
}

/** What the reader looks at; what is absent stays as it is. */
export interface PanelSelection {
  /** Index into trace.latents. */
  latent?: number;
  /** Of a word; index into trace.tokens. */
  token?: number;
  layer?: Choice;
  heads?: Choice;
  picture?: string;
  /** The region that is selected on it; read only. */
  patches?: number[];
  kind?: MapKind;
}
