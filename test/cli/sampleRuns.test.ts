import { describe, expect, it } from 'vitest';
import { donorOf, inOrder, swapAmong } from '../../src/cli/sampleRuns.ts';
import type { Sample } from '../../src/dataset/samples.ts';

const after = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('several workers', () => {
  const workers = ['a', 'b', 'c'];

  it('give their results in the order of the items, however long each takes', async () => {
    const given: number[] = [];
    const busy = new Set<string>();
    const all = await inOrder(
      workers,
      [30, 1, 12, 1, 5, 0],
      async (worker, wait) => {
        busy.add(worker);
        await after(wait);
        return wait;
      },
      async (wait) => void given.push(wait),
    );
    expect([all, given]).toEqual([true, [30, 1, 12, 1, 5, 0]]);
    expect([...busy].toSorted()).toEqual(workers);
  });

  it('give nothing on that comes after an item that was stopped', async () => {
    const given: number[] = [];
    const work = async (_: string, item: number): Promise<number | undefined> => {
      await after(item === 2 ? 20 : 1);
      return item === 2 ? undefined : item;
    };
    const all = await inOrder(workers, [0, 1, 2, 3, 4], work, async (item) => void given.push(item));
    expect([all, given]).toEqual([false, [0, 1]]);
  });

  it('end with the first failure, when no other is at work any more', async () => {
    let working = 0;
    const work = async (_: string, item: number): Promise<number> => {
      working++;
      await after(item === 1 ? 1 : 20);
      working--;
      if (item === 1) throw new Error('item 1');
      return item;
    };
    await expect(inOrder(workers, [0, 1, 2, 3], work, async () => undefined)).rejects.toThrow('item 1');
    expect(working).toBe(0);
  });
});

describe('the sample whose latents a swap feeds', () => {
  const sample = (line: number, size?: number): Sample => ({
    line,
    question: 'q',
    images: [],
    ...(size !== undefined && { map: Array.from({ length: size }, () => [1]) }),
  });
  const linesOf = (samples: Sample[]): number[] => samples.map((one) => donorOf(samples, one).line);

  it('is the one before of its size, for the first the last', () => {
    expect(linesOf([sample(1, 3), sample(2, 4), sample(3, 3), sample(4, 4), sample(5, 3)])).toEqual([
      5, 4, 1, 2, 3,
    ]);
  });

  it('is the one before of any size for one that is alone in its own', () => {
    expect(linesOf([sample(1, 3), sample(2, 6), sample(3, 3)])).toEqual([3, 1, 1]);
  });

  it('is the one before without maps too', () => {
    expect(linesOf([sample(1), sample(2), sample(3)])).toEqual([3, 1, 2]);
  });

  it('is the same among more samples for all but the first of each size', () => {
    const samples = [sample(1, 3), sample(2, 4), sample(3, 3), sample(4, 4), sample(5, 3)];
    const { now, stays } = swapAmong(samples);
    expect([now, samples.filter(({ line }) => stays(line, 4)).map(({ line }) => line)]).toEqual([
      5,
      [2, 3, 4],
    ]);
    // The only one of its size took that of another one.
    expect(samples.filter(({ line }) => stays(line, 2)).map(({ line }) => line)).toEqual([]);
  });
});
