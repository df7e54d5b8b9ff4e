/** Switches the runtime's telemetry off by being imported, which must be before the runtime is. */

import { isMainThread } from 'node:worker_threads';
import { NO_TELEMETRY } from '../process/telemetry.ts';

// Whatever was set before: nothing may leave the computer.
if (isMainThread) Object.assign(process.env, NO_TELEMETRY);

/**
 * A thread's variables are a copy of those of the thread that started it, and the runtime reads the process's own.
 * @throws Error if this thread was started by one that has not switched telemetry off
 */
export function requireNoTelemetry(): void {
  const isOff = Object.entries(NO_TELEMETRY).every(([name, value]) => process.env[name] === value);
  if (!isOff) throw new Error('the thread that starts others must have imported src/ort');
}
