/** The ways in which waiting for the engine ends before an answer. */

import { CancelledError } from '../base/errors.ts';
import { likelyCause, ranOutOfMemory, unexpectedEnd, type Ending } from '../process/ending.ts';
import { availableMemory, inBytes } from '../process/memory.ts';
import type { MemoryPlan } from '../protocol/engine.ts';
import { formatLabel } from '../tensor/weightFormat.ts';

/** The engine process died while something was pending, or before. */
export class EngineDiedError extends Error {
  /**
   * @param how in short: "signal SIGKILL"
   * @param cause the likely one, as a sentence
   */
  constructor(how: string, cause?: string) {
    super(unexpectedEnd('engine', how, cause, 'What was computed so far is kept; run again to go on.'));
    this.name = 'EngineDiedError';
  }
}

/**
 * The likely cause of the engine's end, with the remedy. Where memory ran out, the figures of the plan stand beside it.
 * @param free bytes that can be taken now, with the engine gone
 */
export function causeOf(ending: Ending, plan?: MemoryPlan, free = availableMemory()): string | undefined {
  const cause = likelyCause(ending);
  const planned = plan?.formats.find(({ format }) => format === plan.chosen);
  if (cause === undefined || planned === undefined || !ranOutOfMemory(ending)) return cause;
  const { format, total } = planned;
  const smaller = plan!.formats.find((needs) => needs.total < total && needs.format !== 'float16');
  const figures =
    `With ${formatLabel(format)} weights the model was to take ${inBytes(total)} of ${inBytes(plan!.free)} free; ` +
    `${inBytes(free)} are free now, without it.`;
  const instead =
    smaller === undefined
      ? ''
      : ` Weights of fewer bits take less: ${smaller.format} ${inBytes(smaller.total)} (--weights, setting ilvr.weights).`;
  return `${cause} ${figures}${instead}`;
}

/** What was cancelled has ended, and the engine's process with it. */
export class EngineStoppedError extends CancelledError {
  /** @param waited milliseconds */
  constructor(waited: number) {
    super();
    this.name = 'EngineStoppedError';
    this.message =
      `The engine did not stop within ${waited / 1000} s, so its process was ended. ` +
      'What was computed so far is kept; the next run starts a new engine.';
  }
}

/** @throws CancelledError once the signal is aborted */
export async function untilAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  let stop: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new CancelledError());
    signal.addEventListener('abort', stop, { once: true });
  });
  return Promise.race([work, stopped]).finally(() => signal.removeEventListener('abort', stop));
}
