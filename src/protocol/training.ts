/**
 * Watching a training run: what its process tells who started it, and both directions of the channel
 * between the extension host and the page that shows it.
 *
 * The run's folder is the truth (src/watch); the process only says where that is, or why there is none.
 */

import type { Metric } from '../watch/metrics.ts';
import type { RunStatus, WatchRequest } from '../watch/status.ts';
import type { WatchedStep } from '../watch/watched.ts';

/** Host → page. */
export interface TrainingPageMethods {
  /** Replaces everything shown. */
  show(state: TrainingState): Promise<void>;
  /** The run's folder has changed; absent fields are as before. */
  change(change: TrainingChange): Promise<void>;
}

/** Page → host. */
export interface TrainingPageHost {
  /** The page's script has started; the host answers with `show`. */
  ready(): Promise<void>;
  pause(): Promise<void>;
  /** Goes on, in a new process if there is none. */
  resume(): Promise<void>;
  /** Ends the run after its step; what it has learnt is kept. */
  stop(): Promise<void>;
  openConfig(): Promise<void>;
  /** Opens what the error is about, at its line. */
  openError(): Promise<void>;
  showFolder(): Promise<void>;
  watch(request: WatchRequest): Promise<void>;
  /** Opens VS Code's page about trust, which unlocks the page. */
  manageTrust(): Promise<void>;
  /** One look at the watched sample. */
  look(step: number, sample: number): Promise<Look>;
}

export interface Look {
  watched: WatchedStep;
  /** PNG as base64, by the file's name. */
  pictures: Record<string, string>;
}

/** What a run is doing, as far as can be told from outside. */
export type RunState = RunStatus['state'] | 'killed' | 'unknown';

export interface TrainingState {
  name: string;
  folder: string;
  state: RunState;
  /** Why it failed. */
  error?: string;
  /** Whether `openError` has something to open. */
  hasPlace: boolean;
  /** The run's last step; absent while that is not known. */
  steps?: number;
  device?: string;
  /** Facts of the config, in words. */
  facts: string[];
  metrics: Metric[];
  /** Absent while nothing says which. */
  watch?: WatchRequest;
  /** Why nothing can be started, steered or opened from the page; absent when it can. */
  locked?: string;
  /** Steps at which the watched sample was looked at, in order. */
  looks: number[];
}

/** A field that is null is absent from now on (JSON knows no undefined). */
export type TrainingChange = {
  [Key in keyof Omit<TrainingState, 'metrics'>]?: TrainingState[Key] | null;
} & {
  /** Replaces the lines from that index on; a resumed run begins again before its end. */
  metrics?: { from: number; lines: Metric[] };
};

/** The state after a change. */
export function applyChange(state: TrainingState, { metrics, ...fields }: TrainingChange): TrainingState {
  const next = Object.fromEntries(
    Object.entries({ ...state, ...fields }).filter(([, value]) => value !== null),
  ) as unknown as TrainingState;
  if (metrics === undefined) return next;
  return { ...next, metrics: [...state.metrics.slice(0, metrics.from), ...metrics.lines] };
}
