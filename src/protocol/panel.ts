/**
 * Both directions of the channel between the extension host and a panel's webview.
 *
 * The panel shows one trace. It asks for it with `ready`, gets a whole snapshot, and then the events
 * of the run as they happen; both sides fold events with the same function (trace/events.ts).
 * Snapshots carry traces in memory form: typed arrays, which VS Code's webview channel transfers.
 */

import type { MapKind } from '../heatmap/map.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { Trace } from '../trace/schema.ts';

/** Host → panel. */
export interface PanelMethods {
  /** Replaces everything shown. */
  show(state: PanelState): Promise<void>;
  /** One more event of the run that is shown. */
  event(event: ReasonEvent): Promise<void>;
  /** Progress before the first event ("loading the model"); null when it is over (JSON knows no undefined). */
  progress(message: string | null): Promise<void>;
  /** Moves the selection, for deep links from the trace's text document. */
  select(selection: PanelSelection): Promise<void>;
}

/** Panel → host. */
export interface PanelHost {
  /** The panel's script has started; the host answers with `show`. */
  ready(): Promise<void>;
  cancel(): Promise<void>;
  runAgain(): Promise<void>;
  exportTrace(): Promise<void>;
  openAsText(): Promise<void>;
  /** Pictures dropped into the panel or chosen: compared with the run's latents on the next run. */
  addHelpers(files: { name: string; bytes: Uint8Array }[]): Promise<void>;
  chooseHelpers(): Promise<void>;
  /** How the reader draws and lays out, for panels to come; the page alone knows what is in it. */
  remember(preferences: object): Promise<void>;
}

export interface PanelState {
  /** Absent before the run has started. */
  trace?: Trace;
  /** Name of the file when it was opened from one. */
  fileName?: string;
  /** A viewer has no engine: no run again, no helpers. */
  canRun: boolean;
  /** Why nothing can be run now; absent when it can. */
  locked?: string;
  progress?: string;
  /** What the last panel wished to be remembered; the page checks it. */
  preferences?: unknown;
}

/** What the reader looks at; kept by the webview across reloads. */
export interface PanelSelection {
  /** Index into trace.latents. */
  latent: number;
  picture?: string;
  kind?: MapKind;
}
