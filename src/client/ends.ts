/** The ways in which waiting for the engine ends before an answer. */

import { CancelledError } from '../base/errors.ts';
import { unexpectedEnd } from '../process/ending.ts';

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
