/**
 * Reads large traces outside the extension host, which every extension shares: parsing one of hundreds of megabytes takes
 * more than a gigabyte. A trace that takes too long or grows too large ends with its process, and the host goes on.
 */

import { messageOf, UserError } from '../../base/errors.ts';
import { startChild } from '../../process/children.ts';
import type { Unpacked, UnpackRequest } from './unpacking.ts';
import type { Answer } from './worker.ts';

/** The largest file that can be read takes half a minute. */
const TIME_LIMIT_MS = 300_000;
/** Of text and objects; arrays lie outside. What VS Code runs on holds no more than 4 GB of them. */
const HEAP_MB = 3072;

/**
 * @param workerPath the bundle of worker.ts
 * @throws UserError if it is no trace, or a damaged one, or takes too long
 */
export async function unpackInChild(workerPath: string, request: UnpackRequest): Promise<Unpacked> {
  const answer = await answerOf(workerPath, request);
  if ('unpacked' in answer) return answer.unpacked;
  if ('refused' in answer) throw new UserError(answer.refused);
  throw new Error(answer.defect);
}

async function answerOf(workerPath: string, request: UnpackRequest): Promise<Answer> {
  const child = startChild(workerPath, [], {
    execArgv: [`--max-old-space-size=${HEAP_MB}`],
    serialization: 'advanced',
  });
  // What it prints is nobody's; a full pipe would stop it.
  child.stdout?.resume();
  child.stderr?.resume();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const fail = (how: string): void => reject(notRead(request, how));
      timer = setTimeout(() => fail(`nothing after ${TIME_LIMIT_MS / 1000} s`), TIME_LIMIT_MS);
      child.on('message', (answer: Answer) => resolve(answer));
      child.on('error', (error) => fail(`a process that ended (${messageOf(error)})`));
      child.on('exit', (code, signal) => fail(`a process that ended (${signal ?? `exit code ${code}`})`));
      child.send(request);
    });
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
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
