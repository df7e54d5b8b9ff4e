/**
 * Reads large traces outside the extension host's own thread, which every extension shares. A trace that takes too
 * long or grows too large ends with its thread, and the host goes on.
 */

import { Worker } from 'node:worker_threads';
import { messageOf, UserError } from '../../base/errors.ts';
import type { Unpacked, UnpackRequest } from './unpacking.ts';
import type { Answer } from './worker.ts';

/** The largest file that can be read takes half a minute. */
const TIME_LIMIT_MS = 300_000;
/** Of text and objects; arrays lie outside. What VS Code runs on holds no more than 4 GB of them in all threads. */
const HEAP_MB = 3072;

/**
 * @param workerPath the bundle of worker.ts
 * @throws UserError if it is no trace, or a damaged one, or takes too long
 */
export async function unpackInThread(workerPath: string, request: UnpackRequest): Promise<Unpacked> {
  const answer = await answerOf(workerPath, request);
  if ('unpacked' in answer) return answer.unpacked;
  if ('refused' in answer) throw new UserError(answer.refused);
  throw new Error(answer.defect);
}

async function answerOf(workerPath: string, request: UnpackRequest): Promise<Answer> {
  const thread = new Worker(workerPath, {
    workerData: request,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    env: {},
    execArgv: [],
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const fail = (how: string): void => reject(notRead(request, how));
      timer = setTimeout(() => fail(`nothing after ${TIME_LIMIT_MS / 1000} s`), TIME_LIMIT_MS);
      thread.on('message', resolve);
      thread.on('error', (error) => fail(`a thread that ended (${messageOf(error)})`));
      thread.on('exit', (code) => fail(`a thread that ended (exit code ${code})`));
    });
  } finally {
    clearTimeout(timer);
    void thread.terminate();
  }
}

function notRead(request: UnpackRequest, found: string): UserError {
  return new UserError({
    problem: 'This trace could not be read',
    found,
    where: 'file' in request ? request.file : request.name,
    remedy: 'Export it again as two files, which open without being read whole.',
  });
}
