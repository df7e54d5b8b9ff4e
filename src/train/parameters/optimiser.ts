/** AdamW (arXiv 1711.05101) with clipping by the global norm, as PyTorch computes them. */

import type { AdamWSettings, AdamWUpdate, Moments, ParameterSet } from './parameters.ts';

/** PyTorch's moments and the release's decay, which spares biases and norms: all that is no matrix. */
export const RELEASED_ADAMW: AdamWSettings = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  decays: ({ shape }) => shape.length > 1,
};

export class AdamW implements Moments {
  /** Steps so far, those that moved nothing included. */
  steps = 0;
  readonly first: ParameterSet;
  readonly second: ParameterSet;
  private readonly settings: AdamWSettings;
  private readonly move: AdamWUpdate;

  private constructor(settings: AdamWSettings, { first, second }: Moments, move: AdamWUpdate) {
    this.settings = settings;
    this.first = first;
    this.second = second;
    this.move = move;
  }

  /** For parameters that live at least as long; its moments are where they are. */
  static async open(parameters: ParameterSet, settings: AdamWSettings): Promise<AdamW> {
    const moments = { first: await parameters.zeros(), second: await parameters.zeros() };
    return new AdamW(settings, moments, await parameters.adamW(settings));
  }

  /**
   * m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g²,
   * θ ← (1 - η λ) θ - η m̂ / (√v̂ + ε), where m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ).
   * @param scale what the gradient is multiplied by first: see `clipFactor`
   */
  async update(gradient: ParameterSet, learningRate: number, scale = 1): Promise<void> {
    const { beta1, beta2, epsilon, weightDecay } = this.settings;
    this.steps++;
    // η m̂ / (√v̂ + ε) is r η / (1 - β₁ᵗ) · m / (√v + r ε), so that no element needs a correction of its own.
    const root = Math.sqrt(1 - beta2 ** this.steps);
    await this.move(gradient, this, {
      scale,
      decayed: 1 - learningRate * weightDecay,
      stepSize: (root * learningRate) / (1 - beta1 ** this.steps),
      floor: root * epsilon,
    });
  }

  /** A step that moves nothing: the schedule and the data go on. */
  skip(): void {
    this.steps++;
  }

  async release(): Promise<void> {
    await this.first.release();
    await this.second.release();
  }
}

/** What scales a gradient of a norm above `limit` down to it; 1 for a shorter one. */
export function clipFactor(norm: number, limit: number): number {
  return Math.min(1, limit / (norm + 1e-6)); // PyTorch's guard against division by zero
}
