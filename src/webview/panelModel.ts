/** The trace that is shown, as the host's messages make it. */

import { CancelledError } from '../base/errors.ts';
import type { PanelHost, PanelMethods, PanelSelection, PanelState } from '../protocol/panel.ts';
import type { AnalysesHost, AnalysisPart } from '../protocol/panelAnalyses.ts';
import type { TracePart } from '../protocol/traceParts.ts';
import { applyEvent, startTrace, type ReasonEvent } from '../trace/events.ts';
import type { Query } from '../trace/queries.ts';
import { RunMaps } from '../trace/runMaps.ts';
import type { Trace } from '../trace/schema.ts';
import { Slices, type Fetch } from '../trace/slices.ts';
import { Analyses } from './analyses.ts';
import { Pictures } from './draw/pictures.ts';
import { SliceLoader } from './sliceLoader.ts';

export type ModelChange = 'content' | 'run-started';

/** Who has the arrays. */
export type ArrayHost = Pick<PanelHost, 'slice' | 'cancelSlice' | 'picture'> & AnalysesHost;

/**
 * Holds the last manifest, folds events into it, and keeps the slices of its arrays that are at hand. The trace grows
 * in place, so `version` tells apart two states of one trace.
 */
export class PanelModel implements PanelMethods {
  state: PanelState = { canRun: false };
  maps: RunMaps | undefined;
  /** Decoding is the model's, not a component's: an effect that set state re-rendered for ever. */
  readonly pictures = new Pictures(() => this.changed('content'));
  /** What is known of the analyses of the trace that is shown. */
  readonly analyses: Analyses;
  version = 0;
  /** Grows when the trace does, or is another; not with slices and pictures that arrive. */
  traceVersion = 0;
  /** False until the host's first snapshot. */
  connected = false;
  /** What is looked at: the page says it. */
  lookedAt: () => PanelSelection = () => ({});
  private readonly host: ArrayHost;
  private readonly listeners: ((change: ModelChange) => void)[] = [];
  private readonly selectors: ((selection: PanelSelection) => void)[] = [];
  private readonly troubled: ((message: string) => void)[] = [];
  private pending = false;
  /** What was sent last, until all parts of its trace have come. */
  private coming: { state: PanelState; left: number } | undefined;
  private readonly afterwards: (() => void)[] = [];
  private loader: SliceLoader | undefined;
  private requests = 0;

  constructor(host: ArrayHost) {
    this.host = host;
    this.analyses = new Analyses(host, () => this.changed('content'));
  }

  onChange(listener: (change: ModelChange) => void): void {
    this.listeners.push(listener);
  }

  onSelect(listener: (selection: PanelSelection) => void): void {
    this.selectors.push(listener);
  }

  /** Something could not be read; what is drawn stays. */
  onProblem(listener: (message: string) => void): void {
    this.troubled.push(listener);
  }

  /** Brings slices for what is looked at, and cancels what nobody waits for; `ahead` is for what may come next. */
  want(queries: readonly Query[], ahead: readonly Query[]): void {
    this.loader?.want(queries, ahead);
  }

  async show({ toCome = 0, ...state }: PanelState): Promise<void> {
    this.coming = { state, left: toCome };
    if (toCome === 0) this.showWhole(state);
  }

  async part({ tokens, latents }: TracePart): Promise<void> {
    const { coming } = this;
    const trace = coming?.state.trace;
    if (coming === undefined || trace === undefined) return;
    trace.tokens.push(...tokens);
    trace.latents.push(...latents);
    coming.left--;
    if (coming.left === 0) this.showWhole(coming.state);
  }

  private showWhole(state: PanelState): void {
    this.coming = undefined;
    const started = state.trace?.status === 'running' && state.trace.id !== this.state.trace?.id;
    this.hold(state.trace);
    this.state = state;
    this.traceVersion++;
    this.connected = true;
    this.changed(started ? 'run-started' : 'content');
    for (const next of this.afterwards.splice(0)) next();
  }

  async event(event: ReasonEvent): Promise<void> {
    const { trace } = this.state;
    if (event.type === 'start') {
      const started = startTrace(event);
      this.hold(started);
      this.state = { ...this.state, trace: started };
      this.traceVersion++;
      this.changed('run-started');
    } else if (trace !== undefined) {
      applyEvent(trace, event);
      this.traceVersion++;
      if (event.type === 'prompt') this.holdPictures(trace);
      this.changed('content');
    }
  }

  async progress(message: string | null): Promise<void> {
    const { progress: _, ...state } = this.state;
    this.state = message === null ? state : { ...state, progress: message };
    this.changed('content');
  }

  async select(selection: PanelSelection): Promise<void> {
    this.onceWhole(() => this.selectors.forEach((listener) => listener(selection)));
  }

  async selection(): Promise<PanelSelection> {
    return this.lookedAt();
  }

  async found(part: AnalysisPart): Promise<void> {
    this.onceWhole(() => this.analyses.hear(part));
  }

  /** What is said of a trace whose parts are still coming waits for the last. */
  private onceWhole(next: () => void): void {
    if (this.coming === undefined) next();
    else this.afterwards.push(next);
  }

  /** Another trace has slices of its own; the same one, sent again, keeps those that are at hand. */
  private hold(trace: Trace | undefined): void {
    const before = this.state.trace;
    const isSame = trace?.id === before?.id && trace?.arrays.bytes === before?.arrays.bytes;
    const slices = isSame && this.maps !== undefined ? this.maps.slices : undefined;
    this.loader?.stop();
    this.analyses.show(trace);
    this.maps = trace && new RunMaps(trace, slices ?? new Slices(this.fetchOf(trace.id)));
    this.loader = this.maps && this.loaderOf(this.maps.slices);
    if (trace !== undefined) this.holdPictures(trace);
  }

  private loaderOf(slices: Slices): SliceLoader {
    return new SliceLoader(slices, {
      onArrived: () => this.changed('content'),
      onProblem: (message) => this.troubled.forEach((listener) => listener(message)),
    });
  }

  private holdPictures({ id: run, pictures }: Trace): void {
    this.pictures.show(
      pictures.map(({ id, name, width, height, png }) => ({
        id,
        name,
        width,
        height,
        content: `${run} ${png.offset} ${png.sha256} ${width} ${height}`,
        read: () =>
          this.host.picture({
            run,
            picture: id,
          }),
      })),
    );
  }

  /** An aborted request is told to the host, and rejects without waiting for it. */
  private fetchOf(run: string): Fetch {
    return async (query, signal) => {
      const id = this.requests++;
      const answer = this.host.slice({ id, run, query });
      if (!(signal instanceof AbortSignal)) return answer;
      const cancelled = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          void this.host.cancelSlice(id).catch(() => undefined);
          reject(new CancelledError('The request'));
        });
      });
      return Promise.race([answer, cancelled]);
    };
  }

  /** Tells listeners once per frame: a fast run sends hundreds of events a second. */
  private changed(change: ModelChange): void {
    this.version++;
    if (change === 'run-started') return this.notify(change);
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.notify('content');
    });
  }

  private notify(change: ModelChange): void {
    for (const listener of this.listeners) listener(change);
  }
}
