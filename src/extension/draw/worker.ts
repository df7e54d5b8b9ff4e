/** The thread that draws: one drawing after another, each answered by its PNG or by why there is none. */

import { parentPort } from 'node:worker_threads';
import { messageOf, UserError, type ErrorDetails } from '../../base/errors.ts';
import { drawForHover, type Drawing, type Drawn } from './drawing.ts';

/** Errors lose their class between threads. */
export type Answer = { drawn: Drawn | undefined } | { refused: ErrorDetails } | { defect: string };

parentPort?.on('message', (drawing: Drawing) => parentPort?.postMessage(answerTo(drawing)));

function answerTo(drawing: Drawing): Answer {
  try {
    return { drawn: drawForHover(drawing) };
  } catch (error) {
    return error instanceof UserError ? { refused: error.details } : { defect: messageOf(error) };
  }
}
