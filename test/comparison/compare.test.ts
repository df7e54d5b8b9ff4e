import { describe, expect, it } from 'vitest';
import { align, type Row, type Written } from '../../src/comparison/align.ts';
import { compareRuns } from '../../src/comparison/compare.ts';
import { likenessOf } from '../../src/comparison/latents.ts';
import { difference } from '../../src/heatmap/readings.ts';
import type { HeatMap } from '../../src/heatmap/map.ts';
import { scaleOf } from '../../src/heatmap/scale.ts';
import { altered, smallRun, smallTrace } from '../fixtures/smallTrace.ts';

/** Words as letters, `[n]` a block of n latents; "/" ends a line. */
function written(text: string): Written {
  const tokens: Written['tokens'][number][] = [];
  const blocks: Written['blocks'][number][] = [];
  for (const [part, latents] of text.matchAll(/\[(\d+)\]|./g)) {
    if (latents === undefined) tokens.push({ id: part.charCodeAt(0), text: part === '/' ? '\n' : part });
    else {
      const count = Number(latents);
      blocks.push({ startToken: tokens.length, latents: count, endToken: tokens.length + count + 1 });
      tokens.push(...Array.from({ length: count + 2 }, () => ({ id: 1, text: '' })));
    }
  }
  return { tokens, blocks };
}

/** The rows as text: "ab", "c|d" where they differ, "[0|1]" for blocks. */
function rows(a: Written, b: Written): string[] {
  const text = ({ tokens }: Written, span?: { first: number; last: number }): string =>
    span === undefined
      ? ''
      : tokens
          .slice(span.first, span.last + 1)
          .map((token) => token.text)
          .join('');
  return align(a, b, true).rows.map((row: Row) =>
    row.kind === 'block'
      ? `[${row.a ?? ''}|${row.b ?? ''}]`
      : row.kind === 'same'
        ? text(a, row.a)
        : `${text(a, row.a)}|${text(b, row.b)}`,
  );
}

describe('alignment', () => {
  it('meets again after words and blocks that only one run has', () => {
    expect(rows(written('ab[2]cd'), written('ab[2]cd'))).toEqual(['ab', '[0|0]', 'cd']);
    expect(rows(written('ab[2]cd'), written('ab[8]xcd'))).toEqual(['ab', '[0|0]', '|x', 'cd']);
    expect(rows(written('a[1]b[1]c'), written('a[1]c'))).toEqual(['a', '[0|0]', 'b|', '[1|]', 'c']);
    expect(rows(written('ab/cd'), written('ab/ce'))).toEqual(['ab\n', 'c', 'd|e']);
    expect(rows(written(''), written('a'))).toEqual(['|a']);
  });

  it('says where the runs part', () => {
    const first = (a: string, b: string) => align(written(a), written(b), true).first;
    expect(first('ab[2]cd', 'ab[2]cd')).toBeUndefined();
    // The lengths of blocks do not count: the words after them are the same.
    expect(first('ab[2]cd', 'ab[8]cd')).toBeUndefined();
    expect(first('ab[2]cd', 'ab[8]xd')).toEqual({ a: 6, b: 12 });
    expect(first('ab', 'abc')).toEqual({ b: 2 });
  });

  it('is as long as it can be, whatever comes first', () => {
    const { words } = align(written('xaybzc'), written('abcxyz'), true);
    expect(words).toHaveLength(3);
    for (const side of ['a', 'b'] as const) {
      const order = words.map((word) => word[side]);
      expect(order).toEqual(order.toSorted((one, other) => one - other));
    }
  });

  it('does not try to align what is too long, and says so', () => {
    const long = (letter: string): Written => written(letter.repeat(5000));
    const { cut, words, rows: found } = align(long('a'), long('b'), true);
    expect([cut, words.length, found.length]).toEqual([true, 0, 1]);
  });
});

describe('two runs', () => {
  it('tells settings apart, and differences of log-probability from divergences', () => {
    const [a, b] = [smallTrace(), smallTrace()];
    b.settings.temperature = 0.7;
    const word = b.tokens.findIndex(({ probability }) => probability !== undefined);
    b.tokens[word]!.probability = a.tokens[word]!.probability! / 2;
    const found = compareRuns(a, b);
    expect(found.differences).toEqual([{ what: 'temperature', a: '0', b: '0.7' }]);
    expect(found.first).toBeUndefined();
    expect(found.words.find((pair) => pair.b === word)!.difference).toBeCloseTo(-Math.LN2, 6);
    expect(found.noDivergence).toBeUndefined();
    b.settings.intervention = 'mean';
    expect(compareRuns(a, b).differences).toContainEqual({
      what: 'fed in place of latents',
      a: 'its own',
      b: 'mean',
    });
    b.model.weights = '8bit';
    expect(compareRuns(a, b).noDivergence).toMatch(/formats of the weights/);
    b.model.fingerprint = 'another';
    expect(compareRuns(a, b).noDivergence).toMatch(/different models/);
  });

  it('gives cosines of latents at the same places, and none where sizes differ', async () => {
    const [a, b] = [smallRun(), smallRun()];
    const [first] = (await likenessOf(a, b, [{ a: 0, b: 1 }]))!;
    expect(first!.cosines).toHaveLength(2);
    expect(first!.cosines.every((cosine) => cosine! < 0.999)).toBe(true);
    const [same] = (await likenessOf(a, b, [{ a: 0, b: 0 }]))!;
    expect(same!.cosines.map((cosine) => cosine!.toFixed(5))).toEqual(['1.00000', '1.00000']);
    expect(same!.distances).toEqual([0, 0]);
    const zeros = smallRun();
    for (const latent of zeros.trace.latents)
      latent.vector = await altered(zeros, latent.vector, (values) => values.fill(0));
    const [none] = (await likenessOf(a, zeros, [{ a: 0, b: 0 }]))!;
    expect(none).toEqual({ a: 0, b: 0, cosines: [null, null], distances: [1, 1] });
    const [neither] = (await likenessOf(zeros, zeros, [{ a: 0, b: 0 }]))!;
    expect(neither).toEqual({ a: 0, b: 0, cosines: [null, null], distances: [null, null] });
    b.trace.model.hiddenSize = 8;
    expect(await likenessOf(a, b, [{ a: 0, b: 0 }])).toBeUndefined();
  });
});

it('the difference of two maps diverges, and is none between other grids', () => {
  const map = (values: number[], columns: number): HeatMap => ({
    kind: 'attention',
    reading: 'raw',
    rows: 1,
    columns,
    values: Float32Array.from(values),
    unit: 'p',
    caption: '',
    peak: 0,
  });
  const found = difference(map([0.5, 0.25], 2), map([0.25, 0.75], 2))!;
  expect([...found.values]).toEqual([-0.25, 0.5]);
  expect(found.peak).toBe(1);
  expect(scaleOf([found])).toMatchObject({ diverging: true, zero: 0, min: -0.5, max: 0.5 });
  expect(difference(map([1], 1), map([0.5, 0.5], 2))).toBeUndefined();
});
