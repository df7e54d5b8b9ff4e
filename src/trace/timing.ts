/** How long a run took. */

import { TOTAL_TIMING } from './format.ts';
import type { TraceTiming } from './schema.ts';

/** The run's milliseconds: as the engine measured them, else the sum of its parts; undefined while none is known. */
export function totalTime(timings: readonly TraceTiming[]): number | undefined {
  const total = timings.find(({ name }) => name === TOTAL_TIMING);
  if (total !== undefined) return total.milliseconds;
  return timings.length === 0 ? undefined : timings.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}
