/**
 * Reads large traces outside the extension host, which every extension shares: parsing one of hundreds of megabytes takes
 * more than a gigabyte. A trace that takes too long or grows too large ends with its process, and the host goes on.
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { messageOf, UserError } from '../../base/errors.ts';
import { startChild } from '../../process/children.ts';
import { LONG_LISTS, type PieceRequest, type Unpacked, type UnpackRequest } from './unpacking.ts';
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
  const child = startChild(workerPath, [], {
    execArgv: [`--max-old-space-size=${HEAP_MB}`],
    serialization: 'advanced',
  });
  // What it prints is nobody's; a full pipe would stop it.
  child.stdout?.resume();
  child.stderr?.resume();
  try {
    return await read(new Conversation(child, request));
  } finally {
    child.kill('SIGKILL');
  }
}

async function read(worker: Conversation): Promise<Unpacked> {
  const first = await worker.ask(worker.request);
  if (!('unpacked' in first)) throw wrong(first);
  const { unpacked, lengths } = first;
  for (const list of LONG_LISTS) {
    const whole: unknown[] = unpacked.trace[list];
    while (whole.length < lengths[list]) {
      const piece = await worker.ask({ list, from: whole.length });
      if (!('entries' in piece)) throw wrong(piece);
      for (const entry of piece.entries) whole.push(entry);
    }
  }
  return unpacked;
}

/** One message, one answer, until the process has gone or the time is over. */
class Conversation {
  readonly request: UnpackRequest;
  private readonly child: ChildProcess;
  private readonly ends = Date.now() + TIME_LIMIT_MS;

  constructor(child: ChildProcess, request: UnpackRequest) {
    this.child = child;
    this.request = request;
  }

  async ask(message: UnpackRequest | PieceRequest): Promise<Answer> {
    const { child } = this;
    const listening = new AbortController();
    const { signal } = listening;
    // A process that cannot be started makes each of them fail.
    const heard = once(child, 'message', { signal }) as Promise<[Answer]>;
    const ended = once(child, 'exit', { signal }) as Promise<[code: number | null, by: string | null]>;
    const late = setTimeout(Math.max(0, this.ends - Date.now()), undefined, { signal });
    try {
      child.send(message);
      return await Promise.race([
        heard.then(([answer]) => answer),
        ended.then(([code, by]) => fail(`a process that ended (${by ?? `exit code ${code}`})`)),
        late.then(() => fail(`nothing after ${TIME_LIMIT_MS / 1000} s`)),
      ]);
    } catch (error) {
      throw notRead(this.request, messageOf(error));
    } finally {
      listening.abort();
    }
  }
}

function fail(how: string): never {
  throw new Error(how);
}

function wrong(answer: Answer): Error {
  if ('refused' in answer) return new UserError(answer.refused);
  return new Error('defect' in answer ? answer.defect : 'an answer to another question');
}

function notRead(request: UnpackRequest, found: string): UserError {
  return new UserError({
    problem: 'This trace could not be read',
    found,
    where: 'file' in request ? request.file : request.name,
    remedy: 'Export it again as two files, which open without being read whole.',
  });
}
