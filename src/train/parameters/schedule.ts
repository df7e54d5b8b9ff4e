/** Learning rates by step: a linear warm-up from 0, then constant, or down to 0 at the last step. */

export interface Schedule {
  shape: 'constant' | 'linear' | 'cosine';
  /** The largest learning rate. */
  peak: number;
  warmupSteps: number;
  /** Steps of the whole run. */
  steps: number;
}

/** Share of the peak by progress after the warm-up, from 0 to 1. */
const DECAY: Record<Schedule['shape'], (progress: number) => number> = {
  constant: () => 1,
  linear: (progress) => 1 - progress,
  cosine: (progress) => (1 + Math.cos(Math.PI * progress)) / 2,
};

/** @param step counted from 0 */
export function learningRate({ shape, peak, warmupSteps, steps }: Schedule, step: number): number {
  if (step < warmupSteps) return (peak * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return peak * DECAY[shape](progress);
}
