/** AdamW (arXiv 1711.05101) with clipping by the global norm, as PyTorch computes them. */

import type { ParameterArray, Slot } from './parameters.ts';

export interface AdamWSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** Whether a tensor decays. */
  decays: (slot: Slot) => boolean;
}

/** PyTorch's moments and the release's decay, which spares biases and norms: all that is no matrix. */
export const RELEASED_ADAMW: AdamWSettings = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  decays: ({ shape }) => shape.length > 1,
};

export class AdamW {
  /** Updates so far. */
  steps = 0;
  readonly first: ParameterArray;
  readonly second: ParameterArray;
  private readonly parameters: ParameterArray;
  private readonly settings: AdamWSettings;

  constructor(parameters: ParameterArray, settings: AdamWSettings) {
    this.parameters = parameters;
    this.settings = settings;
    this.first = parameters.zeros();
    this.second = parameters.zeros();
  }

  /**
   * m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g²,
   * θ ← (1 - η λ) θ - η m̂ / (√v̂ + ε), where m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ).
   * @param factor of the gradient: see clipFactor
   */
  update(gradient: ParameterArray, learningRate: number, factor = 1): void {
    const { beta1, beta2, epsilon, weightDecay, decays } = this.settings;
    const [added1, added2] = [1 - beta1, 1 - beta2];
    this.steps++;
    // η m̂ / (√v̂ + ε) with the corrections taken out of the loop: r η / (1 - β₁ᵗ) · m / (√v + r ε), r = √(1 - β₂ᵗ).
    const secondRoot = Math.sqrt(1 - beta2 ** this.steps);
    const stepSize = (secondRoot * learningRate) / (1 - beta1 ** this.steps);
    const floor = secondRoot * epsilon;
    for (const slot of this.parameters.slots) {
      const kept = decays(slot) ? 1 - learningRate * weightDecay : 1;
      const [theta, g] = [this.parameters.view(slot), gradient.view(slot)];
      const [m, v] = [this.first.view(slot), this.second.view(slot)];
      const { length } = theta;
      for (let i = 0; i < length; i++) {
        const each = Math.fround(factor * g[i]!);
        // Rounded as they are stored, without reading them back.
        const mean = Math.fround(beta1 * m[i]! + added1 * each);
        const square = Math.fround(beta2 * v[i]! + added2 * each * each);
        m[i] = mean;
        v[i] = square;
        theta[i] = kept * theta[i]! - (stepSize * mean) / (Math.sqrt(square) + floor);
      }
    }
  }
}

/** √Σ g² */
export function normOf({ data }: ParameterArray): number {
  const { length } = data;
  let sum = 0;
  for (let i = 0; i < length; i++) {
    const value = data[i]!;
    sum += value * value;
  }
  return Math.sqrt(sum);
}

/** What shortens a gradient of length `norm` to `limit`; 1 for one that is not longer. */
export function clipFactor(norm: number, limit: number): number {
  return Math.min(1, limit / (norm + 1e-6)); // PyTorch's guard against division by zero
}
