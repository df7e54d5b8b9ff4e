/** What strangers' templates and patterns run in: a bounded time. */

import { createContext, Script } from 'node:vm';
import { isRecord } from './json.ts';

/**
 * A real template or pattern takes a millisecond, but this is time on the wall: on a machine that other work
 * starves a second was too little. One that only fills memory gets to about a gigabyte in it.
 */
export const TIME_LIMIT_MS = 3_000;

/** Kept, for a new one takes longer than a template; it holds nothing but what runs. */
const sandbox = createContext({});
const call = new Script('run()');

/**
 * What `run` returns. The watchdog of `node:vm` also stops functions of ours that are called from within, and
 * patterns that backtrack.
 * @throws what `run` throws, or an error that says that the time was over
 */
export function bounded<T>(run: () => T, milliseconds = TIME_LIMIT_MS): T {
  sandbox['run'] = run;
  try {
    return call.runInContext(sandbox, { timeout: Math.ceil(milliseconds) }) as T;
  } catch (error) {
    // The watchdog's error is of another realm, so that it is no instance of this one's class.
    const late = isRecord(error) && error['code'] === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    throw late ? new Error(`no end after ${Math.round(milliseconds / 1000)} seconds`) : error;
  } finally {
    delete sandbox['run'];
  }
}
