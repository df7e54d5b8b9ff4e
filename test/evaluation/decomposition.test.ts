/** What blocks are made of over samples: shares, what is kept of a gain, and no share of a gain that is none. */

import { describe, expect, it } from 'vitest';
import { decompositionOf, decompositionTable } from '../../src/evaluation/decomposition.ts';
import type { DoubtEntry } from '../../src/evaluation/doubt.ts';

/** @param right with whole blocks, pads, markers, no block */
function entry(line: number, ...right: [boolean, boolean, boolean, boolean]): DoubtEntry {
  return {
    line,
    own: { answer: 'x', right: right[0] },
    kinds: (['dummy', 'markers', 'none'] as const).map((kind, i) => ({
      kind,
      kl: i,
      answer: -i,
      first: { answer: 'x', right: right[i + 1]! },
    })),
    finding: 'mixed',
  };
}

/** Of 10: 9 right with whole blocks, 8 with pads, 7 with markers, 1 with none. */
const ten = Array.from({ length: 10 }, (_, i) => entry(i + 1, i < 9, i < 8, i < 7, i < 1));

describe('blocks taken apart over samples', () => {
  it('share what is kept of the gain over no block, or over a base that is given', () => {
    const figures = decompositionOf(ten);
    expect(figures.map(({ condition, right }) => [condition, right.right, right.of])).toEqual([
      ['whole', 9, 10],
      ['dummy', 8, 10],
      ['markers', 7, 10],
      ['none', 1, 10],
    ]);
    expect(figures.map(({ kept }) => kept!.value)).toEqual([
      1,
      expect.closeTo(7 / 8),
      expect.closeTo(6 / 8),
      0,
    ]);
    for (const { kept } of figures) {
      expect(kept!.low).toBeLessThanOrEqual(kept!.value);
      expect(kept!.high).toBeGreaterThanOrEqual(kept!.value);
    }
    const [, , markers] = decompositionOf(ten, 0.5);
    expect(markers!.kept!.value).toBeCloseTo(0.2 / 0.4);
    expect([markers!.kl!.mean, markers!.answer!.mean]).toEqual([1, -1]);
    // The same samples have the same interval, and other samples another.
    expect(decompositionOf(ten)).toEqual(figures);
  });

  it('say why there is no interval, and what a share below 0 % or above 100 % means', () => {
    const few = decompositionTable([
      entry(1, true, false, true, false),
      entry(2, false, false, true, true),
      entry(3, true, false, false, false),
    ]);
    expect(few.rows.map((row) => row.slice(7, 9))).toEqual([
      ['100.0 %', '–'],
      ['-100.0 %', '–'],
      ['100.0 %', '–'],
      ['0.0 %', '–'],
    ]);
    const notes = few.notes.join(' ');
    expect(notes).toContain('No interval (–): in more than 2.5 % of the resamples whole blocks gain nothing');
    expect(notes).toContain('A share below 0 %: fewer are right than without any block');
    expect(notes).not.toContain('above 100 %');
    expect(decompositionTable(ten).notes.join(' ')).not.toContain('No interval');
  });

  it('have no share of a gain where blocks gain nothing, and count no sample that was not tried in all', () => {
    const still = decompositionTable([
      entry(1, true, true, true, true),
      { line: 2, kinds: [], error: 'gone' },
    ]);
    expect(still.rows.map((row) => row[7])).toEqual(['', '', '', '']);
    expect(still.rows[0]!.slice(0, 5)).toEqual(['whole blocks', 'yes', 'yes', 'yes', '1/1']);
    expect(still.notes.join(' ')).toContain('No gain is kept or lost');
    const half = { ...entry(3, true, true, true, true), kinds: [] };
    expect(decompositionOf([half])[0]!.right.of).toBe(0);
  });
});
