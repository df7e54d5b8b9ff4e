/** The trace that is shown, as the host's messages make it. */

import type { PanelMethods, PanelSelection, PanelState } from '../protocol/panel.ts';
import { runMaps, type RunMaps } from '../trace/runMaps.ts';
import { applyEvent, startTrace, type ReasonEvent } from '../trace/events.ts';
import { Pictures } from './draw/pictures.ts';

export type ModelChange = 'content' | 'run-started';

/**
 * Holds the last snapshot and folds events into it. Its trace grows in place, so `version` tells apart two
 * states of one trace.
 */
export class PanelModel implements PanelMethods {
  state: PanelState = { canRun: false };
  maps: RunMaps | undefined;
  /** Decoding is the model's, not a component's: an effect that set state re-rendered for ever. */
  readonly pictures = new Pictures(() => this.changed('content'));
  version = 0;
  /** False until the host's first snapshot. */
  connected = false;
  private readonly listeners: ((change: ModelChange) => void)[] = [];
  private readonly selectors: ((selection: PanelSelection) => void)[] = [];
  private pending = false;

  onChange(listener: (change: ModelChange) => void): void {
    this.listeners.push(listener);
  }

  onSelect(listener: (selection: PanelSelection) => void): void {
    this.selectors.push(listener);
  }

  async show(state: PanelState): Promise<void> {
    const started = state.trace?.status === 'running' && state.trace.id !== this.state.trace?.id;
    this.state = state;
    this.connected = true;
    this.maps = state.trace && runMaps(state.trace);
    this.changed(started ? 'run-started' : 'content');
  }

  async event(event: ReasonEvent): Promise<void> {
    const { trace } = this.state;
    if (event.type === 'start') {
      const started = startTrace(event);
      this.state = { ...this.state, trace: started };
      this.maps = runMaps(started);
      this.changed('run-started');
    } else if (trace !== undefined) {
      applyEvent(trace, event);
      this.changed('content');
    }
  }

  async progress(message: string | null): Promise<void> {
    const { progress: _, ...state } = this.state;
    this.state = message === null ? state : { ...state, progress: message };
    this.changed('content');
  }

  async select(selection: PanelSelection): Promise<void> {
    for (const listener of this.selectors) listener(selection);
  }

  /** Tells listeners once per frame: a fast run sends hundreds of events a second. */
  private changed(change: ModelChange): void {
    this.pictures.show(this.state.trace?.pictures ?? []);
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
