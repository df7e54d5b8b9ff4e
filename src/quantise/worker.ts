/** A thread of an import: one task after another. */

import { parentPort } from 'node:worker_threads';
import { messageOf, UserError, type ErrorDetails } from '../base/errors.ts';
import { TaskRunner, type Task } from './tasks.ts';

export type WorkerAnswer = { digest: string } | { failed: string; details?: ErrorDetails; code?: string };

const runner = new TaskRunner();

parentPort!.on('message', (task: Task) => {
  let answer: WorkerAnswer;
  try {
    answer = { digest: runner.run(task) };
  } catch (error) {
    answer = {
      failed: messageOf(error),
      ...(error instanceof UserError && { details: error.details }),
      ...(error instanceof Error && 'code' in error && { code: String(error.code) }),
    };
  }
  parentPort!.postMessage(answer);
});
