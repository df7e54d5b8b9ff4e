/** How sequences are cut into the parts that graphs read. */

import { expect, it } from 'vitest';
import { batchesOf } from '../../../src/train/recipe/student.ts';
import { partsAtBlocks, wholePart } from '../../../src/train/graphs/parts.ts';
import { slotsOf } from '../../../src/train/graphs/decoder.ts';

const LATENTS = 4;

/** Texts of these lengths around blocks. */
function sequence(...texts: number[]): { ids: number[]; blocks: number[] } {
  const ends = texts.map((_, i) => texts.slice(0, i + 1).reduce((a, b) => a + b) + i * LATENTS);
  return { ids: new Array<number>(ends.at(-1)!).fill(0), blocks: ends.slice(0, -1) };
}

const SEQUENCES = [sequence(20), sequence(40, 3), sequence(33, 9, 2, 17)];
const parts = partsAtBlocks(SEQUENCES, LATENTS);

it('the parts of a sequence follow one another and leave nothing out', () => {
  SEQUENCES.forEach(({ ids }, b) => {
    const places = parts.flatMap(({ ranges }) => [ranges[b]!.start, ranges[b]!.end]);
    expect(places[0]).toBe(0);
    expect(places.at(-1)).toBe(ids.length);
    for (let i = 2; i < places.length; i += 2) expect(places[i]).toBe(places[i - 1]);
  });
});

it('every part but the first begins with a block, where the sequence has one', () => {
  for (const [b, { blocks }] of SEQUENCES.entries()) {
    const starts = parts.slice(1).map(({ ranges }) => ranges[b]!);
    expect(starts.filter(({ start, end }) => end > start).map(({ start }) => start)).toEqual(blocks);
  }
});

it('tokens have room, and the past has room for all parts but the last', () => {
  for (const { size, ranges, offset } of parts) {
    for (const { start, end } of ranges) expect(end - start).toBeLessThanOrEqual(slotsOf(size));
    if (size.latents > 0) expect(offset).toBeLessThanOrEqual(size.past);
  }
});

it('lengths are rounded up, so that other texts need no other graph', () => {
  const others = partsAtBlocks([sequence(21), sequence(38, 5), sequence(35, 10, 1, 18)], LATENTS);
  expect(others.map(({ size }) => size)).toEqual(parts.map(({ size }) => size));
  expect(wholePart(SEQUENCES).size).toEqual({ batch: 3, past: 0, latents: 0, text: 80 });
});

it('lessons of similar length share a batch, in stage 2 those of similar numbers of blocks', () => {
  const lessons = [sequence(90), sequence(30, 30), sequence(95), sequence(10, 20)].map((each) => ({
    sequence: { ...each, labels: [], positions: [], turnStart: 0 },
  }));
  expect(batchesOf(lessons, 1, 2)).toEqual([
    [3, 1],
    [0, 2],
  ]);
  expect(batchesOf(lessons.toReversed(), 2, 2)).toEqual([
    [3, 1],
    [0, 2],
  ]);
  expect(batchesOf(lessons, 2, 3)).toEqual([[0, 2, 3], [1]]);
});
