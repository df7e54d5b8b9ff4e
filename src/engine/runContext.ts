/** What a run works with, given by whoever has the model and the channel. */

import type { OnActivity } from '../base/activity.ts';
import type { Model } from '../inference/model.ts';
import type { PromptMemory } from '../inference/promptMemory.ts';
import type { ArraySink } from '../trace/arrays.ts';
import type { ReasonEvent } from '../trace/events.ts';
import type { TraceDevice, TraceModel } from '../trace/schema.ts';
import type { PictureMemory } from './pictureMemory.ts';

/** What the next run of the same model may use again. */
export interface RunMemory {
  prompt: PromptMemory;
  pictures: PictureMemory;
}

/** Where a run's findings go. */
export interface RunOutput {
  emit: (event: ReasonEvent) => void;
  /** Takes the run's arrays. */
  sink: ArraySink;
}

export interface RunContext extends RunOutput {
  model: Model;
  /** Absent: everything is computed anew, and nothing kept. */
  memory?: RunMemory;
  /** How the model and its device describe themselves in a trace. */
  describe: { model: TraceModel; device: TraceDevice };
  version: string;
  progress: OnActivity;
  /** Lets messages in; throws CancelledError if the run was cancelled. */
  pause: () => Promise<void>;
}
