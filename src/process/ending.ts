/** How a child process ended, told so that its reader knows what to do. */

import type { ChildProcess } from 'node:child_process';
import { messageOf } from '../base/errors.ts';
import { GPU_LOST_EXIT } from './gpuLost.ts';

export interface Ending {
  /** Both are null if it could not even start. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The end of what it wrote to its error stream, or why it could not start. */
  errors: string;
}

/** What is kept of an error stream. */
const MAX_KEPT = 4000;
/** What a process has written and sent is read soon after its end, unless another one holds its pipes. */
const DRAIN_MS = 500;

/** Resolves when a child has ended, and what it had written and sent is read. To be called at its start. */
export async function endOf(child: ChildProcess): Promise<Ending> {
  const happens = (event: string): Promise<unknown> => new Promise((resolve) => child.once(event, resolve));
  const read = Promise.all([happens('close'), happens('disconnect')]);
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-MAX_KEPT);
  });
  const ending = await new Promise<Omit<Ending, 'errors'>>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.on('error', (error) => {
      if (child.pid !== undefined) return;
      errors = messageOf(error);
      resolve({ code: null, signal: null });
    });
  });
  if (child.pid !== undefined) await within(DRAIN_MS, read);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return { ...ending, errors };
}

/** "signal SIGSEGV", or "exit code 7; Error: what it wrote" */
export function shortEnding({ code, signal, errors }: Ending): string {
  if (signal !== null) return `signal ${signal}`;
  const lines = errors.trim().split('\n');
  // Node's own last line is its version.
  const last = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? '';
  return [code === null ? 'it could not start' : `exit code ${code}`, last]
    .filter((text) => text !== '')
    .join('; ');
}

const OUT_OF_MEMORY = /heap out of memory|bad_alloc|ENOMEM|Cannot allocate memory|Failed to allocate memory/i;
const CRASHES: readonly NodeJS.Signals[] = ['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGABRT', 'SIGTRAP'];
/** Windows has no signals: a program that crashes ends with one of the system's error codes. */
const WINDOWS_ERROR = 0xc0000000;

/** Where nobody killed it by hand, it was the system, which has no other signal for want of memory. */
export function ranOutOfMemory({ signal, errors }: Ending): boolean {
  return signal === 'SIGKILL' || OUT_OF_MEMORY.test(errors);
}

/** The likely cause with the remedy; nothing if there is no saying. */
export function likelyCause(ending: Ending): string | undefined {
  const { code, signal } = ending;
  if (code === GPU_LOST_EXIT)
    return 'The GPU was lost, as when its driver is reset or replaced: if it happens again, use the CPU instead.';
  if (ranOutOfMemory(ending))
    return 'Most likely memory ran out: use a smaller model or smaller pictures, or close other programs.';
  if ((signal !== null && CRASHES.includes(signal)) || (code ?? 0) >= WINDOWS_ERROR)
    return 'It crashed, most likely in the runtime or in a driver: if it was to use the GPU, use the CPU instead.';
  return signal === null ? undefined : 'Another program ended it.';
}

/**
 * "The engine process ended unexpectedly (signal SIGKILL). Most likely …"
 * @param next what to do now, as sentences
 */
export function unexpectedEnd(what: string, how: string, cause: string | undefined, next: string): string {
  const sentences = [`The ${what} process ended unexpectedly (${how}).`, cause, next];
  return sentences.filter((sentence) => sentence !== undefined).join(' ');
}

/** Whether the work succeeds within so many milliseconds. */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const done = work.then(
    () => true,
    () => false,
  );
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
