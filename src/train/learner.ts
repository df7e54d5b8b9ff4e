/**
 * What a step's share of the samples teaches: losses and gradient, whatever the phase. One learner serves
 * a run in its own process; with several workers each has one, and the shares' gradients are added.
 */

import type { LearntSets } from './step.ts';

/** Means over a share's samples, by name. */
export type Losses = Record<string, number>;

export interface Learner<Drawn = unknown> extends LearntSets {
  /** Prepares samples as far as no weights matter: what is drawn ahead is not lost. */
  draw(positions: readonly number[]): Promise<Drawn>;
  /**
   * Writes the gradient of `scale` times the sum of the samples' losses into `gradient`.
   * @param step counted from 0
   * @throws UserError naming the sample whose loss is not a number
   */
  learn(drawn: Drawn, step: number, scale: number): Promise<Losses>;
  release(): Promise<void>;
}

/** Weighted means of named numbers. */
export class Means {
  readonly values: Losses = {};
  private readonly total: number;

  constructor(total: number) {
    this.total = total;
  }

  add(values: Losses, count: number): void {
    for (const [name, value] of Object.entries(values))
      this.values[name] = (this.values[name] ?? 0) + (value * count) / this.total;
  }
}
