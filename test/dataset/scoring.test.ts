import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { baselinesOf, majorityAnswer, walkSuccess } from '../../src/dataset/baselines.ts';
import {
  boxedMoves,
  judge,
  movesIn,
  releasedPath,
  simulate,
  strictMoves,
  type GridMap,
} from '../../src/dataset/scoring.ts';
import { finalAnswer, lastBoxed, normaliseAnswer } from '../../src/trace/answer.ts';
import { wilsonInterval } from '../../src/dataset/statistics.ts';
import { GOLDENS, hasGoldens } from '../fixtures/goldens.ts';

interface ScoringCases {
  vsp: { map: GridMap; text: string; path: string; success: boolean; status: string }[];
  answers: { text: string; extracted: string; normalised: string }[];
}

describe.skipIf(!hasGoldens)('the reference scores', () => {
  const cases: ScoringCases = hasGoldens
    ? JSON.parse(readFileSync(join(GOLDENS, 'scoring.json'), 'utf8'))
    : { vsp: [], answers: [] };

  it.each(cases.vsp)('plan of "$text" is "$path": $status', ({ map, text, path, success, status }) => {
    expect(releasedPath(text)).toBe(path);
    expect(simulate(map, movesIn(path))).toEqual({ success, status });
  });

  it.each(cases.answers)('"$text" answers "$extracted"', ({ text, extracted, normalised }) => {
    expect(finalAnswer(text)).toBe(extracted);
    expect(normaliseAnswer(finalAnswer(text))).toBe(normalised);
  });
});

describe('walking a plan', () => {
  const map: GridMap = [
    [1, 0, -1],
    [0, 2, 0],
  ];
  it.each([
    ['RD', 'Reached goal'],
    ['ULRD', 'Reached goal'],
    ['RDR', 'Did not reach goal'],
    ['RDRL', 'Reached goal'],
    ['RRD', 'Fell into a hole'],
    ['', 'Did not reach goal'],
  ])('%s: %s', (path, status) => {
    expect(simulate(map, movesIn(path)).status).toBe(status);
  });
});

describe('reading a plan', () => {
  it.each([
    ['\\boxed{RRD}', 'RRD', 'RRD', 'RRD'],
    ['\\boxed{R} or \\boxed{DD}', 'DD', 'R', 'DD'],
    ['\\boxed{R, R, D}', 'RRD', '', 'RRD'],
    ['\\boxed{RIGHT DOWN}', 'RD', '', 'RD'],
    ['\\boxed{\\text{down, left}}', 'DL', '', 'DL'],
    ['\\boxed{rrd}', 'RRD', 'rrd', 'RRD'],
    ['\\boxed{}', '', '', undefined],
    ['\\boxed{Go around}', 'RUD', '', undefined],
    ['\\boxed{RR', '', '', undefined],
    ['Final answer: RRD', '', 'RRD', undefined],
    ['Left, then up.', '', '', undefined],
  ])('%s: boxed %s, released %s, strict %s', (text, boxed, released, strict) => {
    expect(boxedMoves(text).join('')).toBe(boxed);
    expect(releasedPath(text)).toBe(released);
    expect(strictMoves(text)?.join('')).toBe(strict);
  });

  it('takes braces inside the box as part of it', () => {
    expect(lastBoxed('so \\boxed{a{b}c} ends')).toBe('a{b}c');
  });
});

describe('baselines', () => {
  it('the most frequent answer counts equal what normalises to the same', () => {
    expect(majorityAnswer(['A', 'yes', 'No', '7'])).toEqual({ answer: 'Yes', share: 0.5 });
    expect(majorityAnswer([])).toBeUndefined();
  });

  it('a walk between walls always arrives; one beside a hole arrives by halves', () => {
    expect(walkSuccess([[1, 2]])).toBeCloseTo(1, 6);
    expect(walkSuccess([[-1, 1, 2]])).toBeCloseTo(0.5, 6);
  });

  it('the majority plan is the one that solves most', () => {
    const maps: GridMap[] = [[[1, 2]], [[1, 2]], [[2, 1]]];
    expect(baselinesOf(maps)?.majority).toEqual({ moves: 'R', share: 2 / 3 });
    expect(baselinesOf([])).toBeUndefined();
  });
});

describe('the Wilson interval', () => {
  it('is the published one for 78 of 100', () => {
    const { low, high } = wilsonInterval(78, 100);
    expect(low).toBeCloseTo(0.6893, 3);
    expect(high).toBeCloseTo(0.85, 3);
  });

  it('stays inside 0 and 1 and says nothing without samples', () => {
    expect(wilsonInterval(0, 10).low).toBe(0);
    expect(wilsonInterval(10, 10).high).toBeCloseTo(1, 12);
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
  });
});

describe('answers that are no plans', () => {
  it.each<[string, string, string, boolean]>([
    ['a tag', '<think>A or B</think><answer>B</answer>', 'B', true],
    ['a box in a tag', 'so <answer>\\boxed{C}</answer>', 'C', true],
    ['the last box', '\\boxed{A} no, \\boxed{D}', 'D', true],
    ['a letter with its text', '<answer>(b) the red one</answer>', 'B', true],
    ['a letter in words', 'Final answer: option C', 'C', true],
    ['a letter that the released rule takes for yes', '\\boxed{A}', 'A', true],
    ['another letter than that', '\\boxed{B}', 'A', false],
    ['a box of text', '\\boxed{\\text{E}}', 'E', true],
    ['a word', '<answer>seven</answer>', 'seven', true],
    ['a tag that is cut off', '<answer>C', 'C', false],
    ['an article', 'answer: A cat sits there', 'B', false],
    ['yes and no by the released rule', 'Answer: true', 'Yes', true],
  ])('are read from %s', (_, text, answer, success) => {
    expect(judge({ answer }, text).success).toBe(success);
  });
});
