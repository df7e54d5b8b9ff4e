import { expect, it } from 'vitest';
import { causeOf } from '../../src/client/ends.ts';
import type { MemoryPlan } from '../../src/protocol/engine.ts';

const needs = { weights: 0, picture: 0, prompt: 0, capture: 0, least: 0 };
const PLAN: MemoryPlan = {
  chosen: 'float32',
  reason: '',
  free: 20e9,
  formats: [
    { ...needs, format: 'float32', total: 15e9 },
    { ...needs, format: 'float16', total: 8e9, refused: 'a GPU only' },
    { ...needs, format: '8bit', total: 5e9 },
    { ...needs, format: '4bit', total: 3e9 },
  ],
};

it.each([
  ['the system ended it', { code: null, signal: 'SIGKILL', errors: '' }],
  [
    'an allocation failed inside the runtime',
    {
      code: null,
      signal: 'SIGABRT',
      errors: "terminate called after throwing an instance of 'std::bad_alloc'",
    },
  ],
  [
    'V8 ran out of its heap',
    { code: 134, signal: null, errors: 'FATAL ERROR: JavaScript heap out of memory' },
  ],
] as const)('%s: told as want of memory, with the plan and what takes less', (_, ending) => {
  expect(causeOf(ending, PLAN, 1.5e9)).toBe(
    'Most likely memory ran out: use a smaller model or smaller pictures, or close other programs. With float32 weights ' +
      'the model was to take 15.0 GB of 20.0 GB free; 1.5 GB are free now, without it. ' +
      'Weights of fewer bits take less: 8bit 5.0 GB (--weights, setting ilvr.weights).',
  );
});

it('a crash is not told as want of memory, whatever was planned', () => {
  const ending = { code: null, signal: 'SIGSEGV', errors: '' } as const;
  expect(causeOf(ending, PLAN, 1e9)).toMatch(/^It crashed/);
});

it('the smallest weights have nothing smaller to name', () => {
  const ending = { code: null, signal: 'SIGKILL', errors: '' } as const;
  expect(causeOf(ending, { ...PLAN, chosen: '4bit' }, 1e9)).not.toContain('fewer bits');
});
