import { describe, expect, it } from 'vitest';
import { AdamW, clipFactor, normOf, RELEASED_ADAMW } from '../../src/train/optimiser.ts';
import { ParameterArray } from '../../src/train/parameters.ts';
import { learningRate } from '../../src/train/schedule.ts';

/** A matrix of two weights and a bias. */
const SLOTS = [
  { name: 'weight', shape: [1, 2], offset: 0, length: 2 },
  { name: 'bias', shape: [1], offset: 2, length: 1 },
];
const numbers = (...values: number[]): ParameterArray => new ParameterArray(SLOTS, Float32Array.from(values));

describe('AdamW', () => {
  it('first moves every weight by the learning rate, against its gradient', () => {
    const parameters = numbers(1, 1, 1);
    new AdamW(parameters, { ...RELEASED_ADAMW, weightDecay: 0 }).update(numbers(5, -0.01, 2), 0.1);
    [0.9, 1.1, 0.9].forEach((value, i) => expect(parameters.data[i]).toBeCloseTo(value, 5));
  });

  it('decays matrices and spares biases and norms', () => {
    const parameters = numbers(1, 1, 1);
    new AdamW(parameters, RELEASED_ADAMW).update(numbers(0, 0, 0), 0.5);
    [0.995, 0.995, 1].forEach((value, i) => expect(parameters.data[i]).toBeCloseTo(value, 6));
  });

  it('does nothing at learning rate 0 but remember the gradient', () => {
    const parameters = numbers(1, 2, 3);
    const optimiser = new AdamW(parameters, RELEASED_ADAMW);
    optimiser.update(numbers(1, 1, 1), 0);
    expect([...parameters.data]).toEqual([1, 2, 3]);
    expect(optimiser.first.data[0]).toBeCloseTo(0.1);
  });
});

describe('clipping', () => {
  it('shortens a long gradient to the limit', () => {
    const gradient = numbers(3, 0, 4);
    expect(normOf(gradient)).toBe(5);
    expect(5 * clipFactor(5, 1)).toBeCloseTo(1, 5);
  });

  it('leaves a short one as it is', () => expect(clipFactor(0.5, 1)).toBe(1));

  it('is the update by a shorter gradient', () => {
    const [clipped, short] = [numbers(1, 2, 3), numbers(1, 2, 3)];
    new AdamW(clipped, RELEASED_ADAMW).update(numbers(3, 0, 4), 0.1, 0.25);
    new AdamW(short, RELEASED_ADAMW).update(numbers(0.75, 0, 1), 0.1);
    expect([...clipped.data]).toEqual([...short.data]);
  });
});

describe('learning rates', () => {
  const rates = (shape: 'constant' | 'linear' | 'cosine'): number[] =>
    [0, 1, 2, 4, 6].map((step) => learningRate({ shape, peak: 1, warmupSteps: 2, steps: 6 }, step));

  it('constant: warm-up, then the peak', () => expect(rates('constant')).toEqual([0, 0.5, 1, 1, 1]));
  it('linear: down to 0 at the end', () => expect(rates('linear')).toEqual([0, 0.5, 1, 0.5, 0]));
  it('cosine: half-way at half of it', () => {
    rates('cosine').forEach((rate, i) => expect(rate).toBeCloseTo([0, 0.5, 1, 0.5, 0][i]!, 12));
  });
  it('no warm-up begins at the peak', () => {
    expect(learningRate({ shape: 'linear', peak: 1, warmupSteps: 0, steps: 4 }, 0)).toBe(1);
  });
});
