/** Requests for slices: what is asked, what is cancelled, what is forgotten. */

import { describe, expect, test } from 'vitest';
import { CancelledError, UserError } from '../../src/base/errors.ts';
import type { Query } from '../../src/trace/queries.ts';
import { Slices } from '../../src/trace/slices.ts';
import { SliceLoader } from '../../src/webview/sliceLoader.ts';

const layer = (index: number, from = 0, to = 4): Query => ({
  family: { of: 'visual', layer: index, heads: 'mean' },
  from,
  to,
});
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A loader whose answers come when the test says so, each member a kilobyte. */
function loading(budget?: number) {
  const asked: { query: Query; answer: () => void; fail: () => void; aborted: boolean }[] = [];
  const told = { arrived: 0, problems: [] as string[] };
  const slices = new Slices(
    (query, signal) =>
      new Promise((resolve, reject) => {
        const entry = {
          query,
          answer: () => resolve(Array.from({ length: query.to - query.from }, () => new Float32Array(256))),
          fail: () => reject(new UserError({ problem: 'The disk is gone' })),
          aborted: false,
        };
        asked.push(entry);
        (signal as AbortSignal).addEventListener('abort', () => {
          entry.aborted = true;
          reject(new CancelledError('The request'));
        });
      }),
    budget,
  );
  const loader = new SliceLoader(slices, {
    onArrived: () => told.arrived++,
    onProblem: (message) => told.problems.push(message),
  });
  const waiting = () => asked.filter(({ aborted }) => !aborted).map(({ query }) => query);
  return { loader, slices, asked, told, waiting };
}

describe('slices that are wanted', () => {
  test('are asked for once, however often they are wanted', async () => {
    const { loader, asked, told, slices } = loading();
    loader.want([layer(1)]);
    loader.want([layer(1)]);
    expect(asked).toHaveLength(1);
    asked[0]!.answer();
    await settled();
    expect(slices.has(layer(1))).toBe(true);
    expect(told.arrived).toBe(1);
    loader.want([layer(1)]);
    expect(asked).toHaveLength(1);
  });

  test('and are not any more, are cancelled without a complaint', async () => {
    const { loader, asked, told } = loading();
    loader.want([layer(1)]);
    loader.want([layer(2)]);
    loader.want([layer(3)]);
    await settled();
    expect(asked.map(({ aborted }) => aborted)).toEqual([true, true, false]);
    expect(told.problems).toEqual([]);
  });

  test('again after they were cancelled, are asked for again', async () => {
    const { loader, waiting, asked, slices } = loading();
    loader.want([layer(1)]);
    loader.want([layer(2)]);
    loader.want([layer(1)]);
    await settled();
    expect(waiting()).toEqual([layer(1)]);
    asked.at(-1)!.answer();
    await settled();
    expect(slices.has(layer(1))).toBe(true);
  });

  test('of a run that goes on are asked for as far as they are missing, one request after another', async () => {
    const { loader, asked, waiting } = loading();
    loader.want([layer(1, 0, 2)]);
    loader.want([layer(1, 0, 3)]);
    expect(waiting()).toEqual([layer(1, 0, 2)]);
    asked[0]!.answer();
    await settled();
    expect(asked.map(({ query }) => query)).toEqual([layer(1, 0, 2), layer(1, 2, 3)]);
  });

  test('but cannot be read, are told once and not asked for until they are wanted anew', async () => {
    const { loader, asked, told } = loading();
    loader.want([layer(1)]);
    asked[0]!.fail();
    await settled();
    loader.want([layer(1)]);
    await settled();
    expect(told.problems).toEqual(['The disk is gone.']);
    expect(asked).toHaveLength(1);
    loader.want([layer(2)]);
    loader.want([layer(1)]);
    await settled();
    expect(asked.map(({ query }) => query)).toEqual([layer(1), layer(2), layer(1)]);
  });

  test('beyond the bound push out what was used longest ago, and are not asked for in turn for ever', async () => {
    const { loader, asked, slices } = loading(6 * 1024);
    loader.want([layer(1)]);
    asked[0]!.answer();
    await settled();
    loader.want([layer(1), layer(2)]);
    asked[1]!.answer();
    await settled();
    expect(slices.has(layer(2))).toBe(true);
    expect(slices.has(layer(1))).toBe(false);
    for (let i = 2; i < asked.length; i++) asked[i]!.answer();
    await settled();
    expect(asked.length).toBeLessThanOrEqual(3);
  });

  test('next are read one by one, when nothing else is, and without drawing anew', async () => {
    const { loader, asked, told, waiting } = loading();
    loader.want([layer(1)], [layer(2), layer(3)]);
    expect(waiting()).toEqual([layer(1)]);
    asked[0]!.answer();
    await settled();
    expect(waiting()).toEqual([layer(1), layer(2)]);
    asked[1]!.answer();
    await settled();
    expect(waiting().at(-1)).toEqual(layer(3));
    expect(told.arrived).toBe(1);
  });
});
