/** What a run works with, given by whoever has the model and the channel. */

import type { Model } from '../inference/model.ts';
import type { ArraySink } from '../trace/arrays.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { TraceDevice, TraceModel } from '../trace/schema.ts';

export interface RunContext {
  model: Model;
  /** How the model and its device describe themselves in a trace. */
  describe: { model: TraceModel; device: TraceDevice };
  version: string;
  emit: (event: ReasonEvent) => void;
  /** Takes the run's arrays. */
  sink: ArraySink;
  progress: (message: string, fraction?: number) => void;
  /** Lets messages in; throws CancelledError if the run was cancelled. */
  pause: () => Promise<void>;
}
