/** A trace's steps, found once for each of its states: a key press should not walk the whole answer. */

import type { Trace } from '../../trace/schema.ts';
import { stepsOf, type Step } from '../../trace/steps.ts';

export class StepList {
  readonly steps: readonly Step[];

  constructor(steps: readonly Step[]) {
    this.steps = steps;
  }

  /** Index of the step that a token stands in; −1 for one outside every step. */
  indexAt(token: number): number {
    let [low, high] = [0, this.steps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.steps[middle]!.last < token) low = middle + 1;
      else high = middle;
    }
    return (this.steps[low]?.first ?? Infinity) <= token ? low : -1;
  }

  stepAt(token: number): Step | undefined {
    return this.steps[this.indexAt(token)];
  }
}

const known = new WeakMap<Trace, { state: string; list: StepList }>();

/** The steps of a trace, which may have grown since they were asked for last. */
export function stepListOf(trace: Trace): StepList {
  const { tokens, latents, blocks, status } = trace;
  const state = [tokens.length, latents.length, blocks.length, blocks.at(-1)?.ended, status].join();
  const found = known.get(trace);
  if (found?.state === state) return found.list;
  const list = new StepList(stepsOf(trace));
  known.set(trace, { state, list });
  return list;
}
