import { expect, it } from 'vitest';
import { mropePositions } from '../../src/model/positions.ts';

it('text advances all axes, a picture keeps its time, and text goes on after its larger side', () => {
  const pad = 9;
  const ids = [1, ...new Array<number>(6).fill(pad), 2];
  const { positions, delta } = mropePositions(ids, pad, [{ height: 4, width: 6 }], 2);
  expect(positions).toEqual([
    [0, 0, 0],
    [1, 1, 1],
    [1, 1, 2],
    [1, 1, 3],
    [1, 2, 1],
    [1, 2, 2],
    [1, 2, 3],
    [4, 4, 4],
  ]);
  expect(delta).toBe(5 - ids.length);
});
