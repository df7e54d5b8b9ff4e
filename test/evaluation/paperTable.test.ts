/** Tables for papers: figures by hand, and nothing in them that the format would read otherwise. */

import { describe, expect, it } from 'vitest';
import { paperTable, writeTable } from '../../src/evaluation/paperTable.ts';
import type { SampleResult } from '../../src/evaluation/results.ts';

const result = (line: number, success: boolean, text: string, size = 3): SampleResult => ({
  line,
  size,
  text,
  answer: text,
  verdict: '',
  success,
  blocks: 1,
  latents: 8,
  tokens: 3,
  milliseconds: 1,
});

const own = [result(1, true, 'a'), result(2, true, 'b'), result(3, false, 'c', 4), result(4, true, 'd', 4)];
const zero = [result(1, true, 'a'), result(2, false, 'x'), result(3, false, 'y', 4), result(4, true, 'd', 4)];

describe('a table for a paper', () => {
  it('has a row for each pass: share, interval, sizes, and what changed against own', () => {
    const { heads, rows } = paperTable([
      { fed: 'own', results: own },
      { fed: 'zero', results: zero },
    ]);
    expect(heads.slice(0, 6)).toEqual(['latents', 'right', 'share', '95 % interval', '3 × 3', '4 × 4']);
    // Wilson's interval of 3 of 4, worked out by hand.
    expect(rows[0]).toEqual(['its own', '3/4', '75.0 %', '30.1 to 95.4 %', '2/2', '1/2', '', '', '', '']);
    expect(rows[1]!.slice(0, 7)).toEqual([
      'zeroed',
      '2/4',
      '50.0 %',
      '15.0 to 85.0 %',
      '1/2',
      '1/2',
      '−25.0',
    ]);
    expect(rows[1]!.slice(8)).toEqual(['1.000', '2/4']);
  });

  it('compares nothing where there is one pass', () => {
    expect(paperTable([{ fed: 'zero', results: zero }]).heads).toHaveLength(6);
  });

  it('is written so that each format shows the characters that steer it', () => {
    const [heads, rows] = [['a|b', '5 % of_x'], [['<i>', '−1 & ^2']]];
    const table = { heads, rows, notes: ['#1 \\ {x}'], numbers: { heads: ['a'], rows: [[-1.5]] } };
    expect(writeTable(table, 'markdown')).toBe(
      '| a\\|b | 5 % of\\_x |\n|---|--:|\n| \\<i\\> | −1 & ^2 |\n\n#1 \\\\ {x}\n',
    );
    const latex = writeTable(table, 'latex');
    expect(latex).toContain('a|b & 5\\,\\% of\\_x \\\\');
    expect(latex).toContain('$<$i$>$ & $-$1 \\& \\textasciicircum{}2 \\\\');
    expect(latex).toContain('\\caption{\\#1 \\textbackslash{} \\{x\\}}');
    expect(writeTable(table, 'csv')).toBe('a\r\n-1.5\r\n');
  });

  it('is numbers alone as CSV, each in its cell, that a program reads', () => {
    const csv = writeTable(
      paperTable([
        { fed: 'own', results: own },
        { fed: 'zero', results: zero },
      ]),
      'csv',
    );
    const [heads, , row] = csv.split('\r\n').map((line) => line.split(','));
    const cells = Object.fromEntries(heads!.map((head, i) => [head, row![i]!]));
    expect(cells['latents']).toBe('zero');
    const { latents: _, ...numbers } = cells;
    for (const [head, text] of Object.entries(numbers)) expect(Number(text), head).not.toBeNaN();
    expect([cells['difference'], cells['right 4x4'], cells['of 4x4'], cells['p'], cells['share']]).toEqual([
      '-0.25',
      '1',
      '2',
      '1',
      '0.5',
    ]);
    expect(csv).not.toMatch(/[−'’%]/);
  });
});
