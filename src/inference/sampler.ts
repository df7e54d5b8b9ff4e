/** From logits to a token id, as Hugging Face's generate does it: penalty, bans, temperature, top-p. */

import { RandomNumbers } from '../base/random.ts';

export interface SamplerSettings {
  /** 0 is greedy. */
  temperature: number;
  topP: number;
  /** 1 is none. Applied in greedy mode too, over prompt and answer, pads included. */
  repetitionPenalty: number;
  seed: number;
}

export class Sampler {
  private readonly settings: SamplerSettings;
  private readonly random: RandomNumbers;

  constructor(settings: SamplerSettings, random = new RandomNumbers(settings.seed)) {
    this.settings = settings;
    this.random = random;
  }

  /** One that draws on as this one would, independently; or anew by another seed. */
  fork(changes: Partial<SamplerSettings> = {}): Sampler {
    const random = changes.seed === undefined ? this.random.copy() : undefined;
    return new Sampler({ ...this.settings, ...changes }, random);
  }

  /** @param ids of the sequence so far */
  choose(logits: Float32Array, ids: readonly number[], banned: readonly number[]): number {
    const { temperature, topP, repetitionPenalty } = this.settings;
    const scores = Float32Array.from(logits);
    if (repetitionPenalty !== 1) {
      for (const id of new Set(ids)) {
        const score = scores[id];
        if (score !== undefined)
          scores[id] = score < 0 ? score * repetitionPenalty : score / repetitionPenalty;
      }
    }
    for (const id of banned) scores[id] = -Infinity;
    return temperature === 0 ? argMax(scores) : this.draw(scores, temperature, topP);
  }

  /** Draws from the smallest set of likeliest ids whose probabilities reach topP. */
  private draw(scores: Float32Array, temperature: number, topP: number): number {
    const weights = softmax(scores.map((score) => score / temperature));
    const order = Array.from(weights.keys()).toSorted((a, b) => weights[b]! - weights[a]!);
    const kept: number[] = [];
    let total = 0;
    for (const id of order) {
      if (total >= topP && kept.length > 0) break;
      kept.push(id);
      total += weights[id]!;
    }
    let left = this.random.next() * total;
    for (const id of kept) {
      left -= weights[id]!;
      if (left < 0) return id;
    }
    return kept.at(-1)!;
  }
}

/** The first of the largest. */
export function argMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** softmax(logits)[id] */
export function probabilityOf(logits: Float32Array, id: number): number {
  const largest = logits[argMax(logits)]!;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - largest);
  return Math.min(1, Math.exp(logits[id]! - largest) / total);
}

function softmax(values: Float32Array): Float64Array {
  const largest = values[argMax(values)]!;
  const weights = Float64Array.from(values, (value) => Math.exp(value - largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
