/** Slices of a trace's arrays, against the whole arrays. */

import { describe, expect, test } from 'vitest';
import { readArray } from '../../src/trace/arrays.ts';
import type { Choice } from '../../src/trace/choice.ts';
import type { Family } from '../../src/trace/queries.ts';
import { Slices } from '../../src/trace/slices.ts';
import { smallRun } from '../fixtures/smallTrace.ts';

const run = smallRun();
const { trace, container, reader } = run;
const PATCHES = 6;

/** Joined the slow way: every number by itself. */
function joined(
  { shape, data }: { shape: number[]; data: Float32Array },
  [layer, heads]: [Choice, Choice],
  key: number,
): number {
  const [layers, inner, keys] = shape as [number, number, number];
  const at = (l: number, h: number): number => data[(l * inner + h) * keys + key]!;
  const over = (values: number[], how: Choice): number =>
    how === 'max' ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / values.length;
  const headsOf = (l: number): number =>
    typeof heads === 'number'
      ? at(l, heads)
      : over(
          Array.from({ length: inner }, (_, h) => at(l, h)),
          heads,
        );
  return typeof layer === 'number'
    ? headsOf(layer)
    : over(
        Array.from({ length: layers }, (_, l) => headsOf(l)),
        layer,
      );
}

const CHOICES: [Choice, Choice][] = [0, 1, 'mean', 'max'].flatMap((layer) =>
  [0, 1, 'mean', 'max'].map((heads): [Choice, Choice] => [layer as Choice, heads as Choice]),
);

const one = async (family: Family, member = 0): Promise<Float32Array> =>
  (await reader.read({ family, from: member, to: member + 1 }))[0]!;

describe('slices', () => {
  test.each(CHOICES)('of latents are their attention in layer %s and head %s', async (layer, heads) => {
    const rows = await reader.read({ family: { of: 'visual', layer, heads }, from: 0, to: 4 });
    for (const [i, latent] of trace.latents.entries()) {
      const whole = await readArray(container, latent.attention);
      const { start } = trace.pictures[0]!.range!;
      const expected = Array.from({ length: PATCHES }, (_, patch) =>
        joined(whole, [layer, heads], start + patch),
      );
      // The mean of the heads is stored in half precision once more.
      rows[i]!.forEach((value, patch) => expect(Math.abs(value - expected[patch]!)).toBeLessThan(2e-4));
      const row = await one({ of: 'row', layer, heads }, latent.token);
      expect(row.length).toBe(latent.position + 1);
      expect(row.slice(start, start + PATCHES)).toEqual(rows[i]);
    }
  });

  test('of a word are over the patches and the latents before it', async () => {
    const token = trace.tokens.findLastIndex(({ kind }) => kind === 'text');
    const row = await one({ of: 'row', layer: 1, heads: 0 }, token);
    expect(row.length).toBe(PATCHES + trace.latents.length);
    expect(await one({ of: 'row', layer: 1, heads: 'mean' }, 0)).toHaveLength(PATCHES);
    expect(await one({ of: 'row', layer: 1, heads: 'mean' }, trace.tokens.length - 1)).toHaveLength(0);
  });

  test.each([0, 'mean', 'max'] as const)(
    'say what each word pays to a latent and to patches in layer %s',
    async (layer) => {
      const paid = await one({ of: 'paid', layer, to: { latent: 1 }, count: trace.tokens.length });
      const patches = await one({
        of: 'paid',
        layer,
        to: { picture: 'image-1', patches: [2, 5] },
        count: trace.tokens.length,
      });
      for (const [i, { attention }] of trace.tokens.entries()) {
        const row = attention && (await one({ of: 'row', layer, heads: 'mean' }, i));
        const value = row?.[PATCHES + 1];
        if (value === undefined) expect(paid[i]).toBeNaN();
        else expect(paid[i]).toBe(value);
        if (row === undefined) expect(patches[i]).toBeNaN();
        else expect(patches[i]).toBeCloseTo(row[2]! + row[5]!, 6);
      }
    },
  );

  test('of a picture that was not in the prompt are comparisons only', async () => {
    expect(await one({ of: 'similarity', picture: 'helper-1' }, 2)).toHaveLength(4);
    expect(await one({ of: 'selection', picture: 'nothing' }, 2)).toHaveLength(0);
    const paid = await one({ of: 'paid', layer: 0, to: { picture: 'helper-1', patches: [0] }, count: 3 });
    expect(paid.every(Number.isNaN)).toBe(true);
  });

  test('of cosines are those of the vectors', async () => {
    const cosines = await one({ of: 'cosines', count: 4 });
    const [a, b] = await Promise.all([0, 3].map((i) => readArray(container, trace.latents[i]!.vector)));
    const dot = a!.data.reduce((sum, value, i) => sum + value * b!.data[i]!, 0);
    expect(cosines[3]).toBeCloseTo(dot / (Math.hypot(...a!.data) * Math.hypot(...b!.data)), 6);
    expect(cosines[3]).toBe(cosines[12]);
  });

  test('of latents that are not there are refused, and a cancelled reading ends', async () => {
    await expect(one({ of: 'visual', layer: 0, heads: 0 }, 4)).rejects.toThrow(
      /no such latent.*one of 4, found 5/,
    );
    const family = { of: 'visual', layer: 0, heads: 0 } as const;
    await expect(reader.read({ family, from: 0, to: 4 }, AbortSignal.abort())).rejects.toThrow(/abort/i);
  });
});

describe('slices that are kept', () => {
  const family = (layer: number): Family => ({ of: 'visual', layer, heads: 0 });

  test('are fetched once, and only what is missing of them', async () => {
    const asked: [number, number][] = [];
    const slices = new Slices(async ({ from, to }) => {
      asked.push([from, to]);
      return Array.from({ length: to - from }, (_, i) => Float32Array.of(from + i));
    });
    await Promise.all([0, 1].map(() => slices.load({ family: family(0), from: 0, to: 3 })));
    await slices.load({ family: family(0), from: 0, to: 5 });
    await slices.load({ family: family(0), from: 1, to: 4 });
    expect(asked).toEqual([
      [0, 3],
      [3, 5],
    ]);
    expect(slices.at(family(0), 4)).toEqual(Float32Array.of(4));
    expect(slices.has({ family: family(0), from: 0, to: 6 })).toBe(false);
  });

  test('go when the bound is reached, those first that were not used for longest', async () => {
    const slices = new Slices(async () => [new Float32Array(10)], 100);
    for (const layer of [0, 1]) await slices.load({ family: family(layer), from: 0, to: 1 });
    expect(slices.at(family(0))).toBeDefined();
    await slices.load({ family: family(2), from: 0, to: 1 });
    expect([0, 1, 2].map((layer) => slices.at(family(layer)) !== undefined)).toEqual([true, false, true]);
  });

  test('that could not be fetched are asked for again', async () => {
    let fails = true;
    const slices = new Slices(async () => {
      if (fails) throw new Error('the disk is gone');
      return [new Float32Array(1)];
    });
    const query = { family: family(0), from: 0, to: 1 };
    await expect(slices.load(query)).rejects.toThrow(/the disk is gone/);
    fails = false;
    await slices.load(query);
    expect(slices.has(query)).toBe(true);
  });
});
