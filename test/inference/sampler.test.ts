import { expect, it } from 'vitest';
import { probabilityOf, type Sequence } from '../../src/inference/logitRules.ts';
import { Sampler, type SamplerSettings } from '../../src/inference/sampler.ts';

const LOGITS = new Float32Array([1, 3, 2, -1]);

function sampler(settings: Partial<SamplerSettings>): Sampler {
  const plain = { temperature: 0, topP: 1, repetitionPenalty: 1, seed: 0 };
  return new Sampler({ ...plain, ...settings }, { eosIds: [3], repetitionPenalty: 1 });
}

/** After these ids, all of the prompt. */
function after(...ids: number[]): Sequence {
  return { ids, promptLength: ids.length, maxLength: 100 };
}

/** Share of each id in many draws. */
function shares(settings: Partial<SamplerSettings>, draws = 20_000): number[] {
  const source = sampler(settings);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < draws; i++) counts[source.choose(LOGITS, after(), [])]!++;
  return counts.map((count) => count / draws);
}

it('greedy takes the likeliest', () => {
  expect(sampler({}).choose(LOGITS, after(), [])).toBe(1);
});

it('a banned id is never chosen', () => {
  expect(sampler({}).choose(LOGITS, after(), [1])).toBe(2);
});

it('the penalty divides positive and multiplies negative logits of ids already seen', () => {
  expect(sampler({ repetitionPenalty: 2 }).choose(LOGITS, after(1), [])).toBe(2);
  const negative = new Float32Array([-1, -1.5]);
  expect(sampler({ repetitionPenalty: 2 }).choose(negative, after(0), [])).toBe(1);
});

it('the probability is that of the raw logits', () => {
  const total = [...LOGITS].reduce((sum, logit) => sum + Math.exp(logit), 0);
  expect(probabilityOf(LOGITS, 2)).toBeCloseTo(Math.exp(2) / total, 6);
});

it('draws follow softmax(logits / temperature)', () => {
  const weights = [...LOGITS].map((logit) => Math.exp(logit / 2));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  shares({ temperature: 2 }).forEach((share, id) => {
    expect(Math.abs(share - weights[id]! / total)).toBeLessThan(0.015);
  });
});

it('top-p keeps the smallest set that reaches it', () => {
  const [zero, one, two, three] = shares({ temperature: 1, topP: 0.8 });
  expect([zero, three]).toEqual([0, 0]);
  expect(one! + two!).toBeCloseTo(1, 6);
});

it('the same seed gives the same draws', () => {
  const draws = (seed: number): number[] => {
    const source = sampler({ temperature: 1, seed });
    return Array.from({ length: 50 }, () => source.choose(LOGITS, after(), []));
  };
  expect(draws(3)).toEqual(draws(3));
  expect(draws(3)).not.toEqual(draws(4));
});
