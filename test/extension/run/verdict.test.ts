/** Whether an answer is right is said only where the samples file knows, and only of its own question. */

import { describe, expect, test } from 'vitest';
import { verdictOf, type KnownAnswer } from '../../../src/extension/run/verdict.ts';
import { applyEvent } from '../../../src/trace/events.ts';
import { reopened } from '../../fixtures/reopened.ts';
import { smallRun, smallTrace } from '../../fixtures/smallTrace.ts';

const ASKED: KnownAnswer = {
  source: 'samples.jsonl',
  question: 'Which  way?',
  pictures: 1,
  truth: { answer: 'RD' },
};
/** The fixture answers \boxed{RD}: right, down. */
const MAP = [
  [1, 0],
  [-1, 2],
] as const;

describe('the verdict', () => {
  test('walks the plan where there is a map', () => {
    const right = verdictOf(smallTrace(), { ...ASKED, truth: { map: MAP.map((row) => [...row]) } });
    expect(right).toEqual({ right: true, source: 'samples.jsonl' });
    const holed = [
      [1, -1],
      [0, 2],
    ] as const;
    const wrong = verdictOf(smallTrace(), {
      ...ASKED,
      truth: { map: holed.map((row) => [...row]), answer: 'DR' },
    });
    expect(wrong).toEqual({ right: false, expected: 'DR', source: 'samples.jsonl' });
  });

  test('compares with the sample’s own answer where there is none', () => {
    const answer = '\\boxed{RD}';
    expect(verdictOf(smallTrace(), { ...ASKED, truth: { answer } })).toMatchObject({ right: true });
    expect(verdictOf(smallTrace(), { ...ASKED, truth: { answer: 'left' } })).toMatchObject({
      right: false,
      expected: 'left',
    });
  });

  test('is silent about another question, other pictures, a partial answer, or what the file does not know', () => {
    expect(verdictOf(smallTrace(), { ...ASKED, question: 'How many?' })).toBeUndefined();
    expect(verdictOf(smallTrace(), { ...ASKED, pictures: 2 })).toBeUndefined();
    expect(verdictOf(smallTrace('cancelled'), ASKED)).toBeUndefined();
    const { truth: _, ...silent } = ASKED;
    expect(verdictOf(smallTrace(), silent)).toBeUndefined();
  });

  test('is part of the trace, and of its file', async () => {
    const run = smallRun();
    const verdict = verdictOf(run.trace, ASKED)!;
    applyEvent(run.trace, { type: 'verdict', verdict });
    expect((await reopened(run)).trace.verdict).toEqual(verdict);
  });
});
