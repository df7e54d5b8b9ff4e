/** A child's watch over its parent: whose parent has gone has nobody left to work for. */

import { Worker } from 'node:worker_threads';

/** Variable that tells a child who started it: by the time that it asks, that one may have gone already. */
export const PARENT = 'ILVR_PARENT';

const POLL_MS = 500;

/**
 * Ends this process when its parent is gone, also while a native call keeps it from hearing that its channel has
 * closed: a thread of its own asks again and again.
 * @param patience milliseconds that this process has to end by itself
 */
export function endWithParent(patience = 0): void {
  const parent = Number(process.env[PARENT] ?? process.ppid);
  const thread = new Worker(`(${watch.toString()})(${parent}, ${patience}, ${POLL_MS})`, {
    eval: true,
    execArgv: [],
  });
  // Without the thread an idle process still hears that its channel has closed.
  thread.on('error', () => undefined);
  thread.unref();
}

/** Runs in the thread, as text: it can use nothing of this file. */
function watch(parent: number, patience: number, poll: number): void {
  let [wasParent, since] = [false, 0];
  setInterval(() => {
    // On Windows, and behind a program that stands between, the parent is never another one.
    let isGone = wasParent && process.ppid !== parent;
    wasParent ||= process.ppid === parent;
    try {
      process.kill(parent, 0);
    } catch (error) {
      isGone ||= (error as NodeJS.ErrnoException).code === 'ESRCH';
    }
    if (!isGone) return;
    since ||= Date.now();
    // SIGKILL needs no thread of this process to take part.
    if (Date.now() - since >= patience) process.kill(process.pid, 'SIGKILL');
  }, poll);
}
