/** The thread that reads one large trace. */

import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, UserError, type ErrorDetails } from '../../base/errors.ts';
import { unpackTrace, type Unpacked, type UnpackRequest } from './unpacking.ts';

/** Errors lose their class between threads. */
export type Answer = { unpacked: Unpacked } | { refused: ErrorDetails } | { defect: string };

void answerTo(workerData as UnpackRequest).then((answer) => parentPort?.postMessage(answer));

async function answerTo(request: UnpackRequest): Promise<Answer> {
  try {
    return { unpacked: await unpackTrace(request) };
  } catch (error) {
    return error instanceof UserError ? { refused: error.details } : { defect: messageOf(error) };
  }
}
