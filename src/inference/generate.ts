/** A whole run, told step by step. What a step is stands in ./generation.ts. */

import type { LatentIntervention } from '../protocol/engine.ts';
import {
  Generation,
  type Fed,
  type GenerationSettings,
  type NewToken,
  type StopReason,
} from './generation.ts';
import type { Model } from './model.ts';
import type { Prompt } from './prompt.ts';
import type { PromptMemory } from './promptMemory.ts';

export interface GenerateRequest extends Prompt, GenerationSettings {
  intervention?: LatentIntervention;
  /** Index of a new token → id to put there. */
  force: Readonly<Record<number, number>>;
}

/** Told of everything in order; a promise lets it pause the loop, an exception ends it. */
export interface GenerateObserver {
  prefill(read: number, total: number): Promise<void>;
  /** A token was decided; `run` is at that point, and may be forked there. */
  token(token: NewToken, run: Generation): Promise<void>;
  /** The token was fed; the last one of a run never is. */
  fed(token: NewToken, fed: Fed): Promise<void>;
}

/**
 * Runs until the model ends its answer, or a limit is reached.
 * @param memory what is kept of the last prompt, and where this one is kept
 */
export async function generate(
  model: Model,
  request: GenerateRequest,
  observer: GenerateObserver,
  memory?: PromptMemory,
): Promise<StopReason> {
  const { intervention, force } = request;
  const onChunk = (read: number): Promise<void> => observer.prefill(read, request.ids.length);
  const run = await Generation.begin(model, request, request, onChunk, memory);
  try {
    while (run.ended === undefined) {
      const token = await run.decide({ force: force[run.count], intervention });
      await observer.token(token, run);
      if (run.ended === undefined) await observer.fed(token, await run.feed());
    }
    return run.ended;
  } finally {
    run.dispose();
  }
}
