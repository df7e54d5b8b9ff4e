/** metrics.jsonl: what a training run says of each step, for everyone who follows it. */

import * as z from 'zod';

const metric = z.object({
  /** Counted from 1. */
  step: z.number(),
  /** Means over the step's samples, by name. */
  losses: z.record(z.string(), z.number()),
  /** Before clipping. */
  gradientNorm: z.number(),
  learningRate: z.number(),
  /** Its gradient was longer than `skipAbove`: nothing was learnt. */
  leftOut: z.boolean().optional(),
  samplesPerSecond: z.number(),
  /** ISO 8601 */
  time: z.string(),
});

export type Metric = z.output<typeof metric>;

/** A line of the file; nothing if it was cut, as the last one of a killed run may be. */
export function metricOf(line: string): Metric | undefined {
  try {
    return metric.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
