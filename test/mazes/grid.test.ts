import { describe, expect, it } from 'vitest';
import { GOAL, HOLE, SAFE, simulate, START, startOf, type GridMap } from '../../src/dataset/scoring.ts';
import { randomFor } from '../../src/base/random.ts';
import {
  distancesToGoal,
  drawGrid,
  drawShortestPath,
  movesForward,
  positionsOf,
  shortestLength,
} from '../../src/mazes/grid.ts';
import { splitKey, splitOf } from '../../src/mazes/split.ts';
import { mapItem, MAP_DEFAULTS } from '../../src/mazes/stream.ts';

/** The public 400-map test set, 100 of each size: mean share of holes, and shortest paths of 1, 2, … 6, 7+. */
const PUBLIC_SET = {
  3: { holes: 0.136, lengths: [33, 32, 28, 6, 0, 1, 0] },
  4: { holes: 0.158, lengths: [23, 28, 23, 16, 6, 1, 3] },
  5: { holes: 0.178, lengths: [18, 19, 23, 17, 14, 7, 2] },
  6: { holes: 0.179, lengths: [7, 15, 14, 16, 14, 17, 17] },
};

const MAPS = 4000;

function maps(size: number, count: number): GridMap[] {
  return Array.from({ length: count }, (_, i) => drawGrid(randomFor('test', size, i), size));
}

describe.each(Object.entries(PUBLIC_SET))('maps of size %s', (text, expected) => {
  const size = Number(text);
  const drawn = maps(size, MAPS);

  it('have one start, one goal and a way between them', () => {
    for (const map of drawn) {
      expect([map.length, ...map.map((row) => row.length)]).toEqual(new Array(size + 1).fill(size));
      expect([positionsOf(map, START).length, positionsOf(map, GOAL).length]).toEqual([1, 1]);
      expect(shortestLength(map)).toBeGreaterThan(0);
    }
  });

  it("have the public set's share of holes, within .02", () => {
    const holes = drawn.flat(2).filter((cell) => cell === HOLE).length;
    expect(Math.abs(holes / (MAPS * size * size) - expected.holes)).toBeLessThan(0.02);
  });

  it('have the lengths of its shortest paths: each share within 3 standard errors of a hundred maps', () => {
    const lengths = drawn.map((map) => Math.min(7, shortestLength(map)!));
    expected.lengths.forEach((count, i) => {
      const share = lengths.filter((length) => length === i + 1).length / MAPS;
      const error = Math.sqrt((share * (1 - share)) / 100);
      expect(Math.abs(share - count / 100), `${i + 1} moves`).toBeLessThan(3 * error + 0.005);
    });
  });
});

describe('shortest paths', () => {
  it('are as short, and begin with the same moves, as all that a search through every plan finds', () => {
    for (const map of maps(4, 60)) {
      const length = shortestLength(map)!;
      if (length > 5) continue;
      const plans = plansOf(map, length);
      expect(plansOf(map, length - 1)).toEqual([]);
      const first = movesForward(map, distancesToGoal(map), startOf(map));
      expect(new Set(first)).toEqual(new Set(plans.map((plan) => plan[0])));
      expect(plans).toContain(drawShortestPath(randomFor('path'), map).join(''));
    }
  });

  it('do not exist where holes lie around the goal', () => {
    const map: GridMap = [
      [START, SAFE, HOLE],
      [SAFE, HOLE, GOAL],
      [SAFE, SAFE, HOLE],
    ];
    expect(shortestLength(map)).toBeUndefined();
    expect(() => drawShortestPath(randomFor('path'), map)).toThrow('cannot be reached');
  });
});

/** All plans of this many moves that the scorer accepts. */
function plansOf(map: GridMap, length: number): string[] {
  const moves = ['U', 'D', 'L', 'R'] as const;
  let plans: (typeof moves)[number][][] = [[]];
  for (let i = 0; i < length; i++) plans = plans.flatMap((plan) => moves.map((move) => [...plan, move]));
  return plans.filter((plan) => simulate(map, plan).success).map((plan) => plan.join(''));
}

describe('the split', () => {
  it('holds out about one map in ten of each size, whatever the start', () => {
    for (const size of [4, 5, 6]) {
      const share = maps(size, 3000).filter((map) => splitOf(map) === 'held-out').length / 3000;
      expect(share).toBeGreaterThan(0.07);
      expect(share).toBeLessThan(0.13);
    }
    const map: GridMap = [
      [START, SAFE],
      [HOLE, GOAL],
    ];
    const moved: GridMap = [
      [SAFE, START],
      [HOLE, GOAL],
    ];
    expect(splitOf(map)).toBe(splitOf(moved));
  });

  it('gives the two sides no size, holes and goal in common', () => {
    const keys = (split: 'train' | 'held-out'): Set<string> =>
      new Set(
        Array.from({ length: 300 }, (_, i) =>
          splitKey(mapItem({ ...MAP_DEFAULTS, sizes: [3, 4], style: 1, questions: [], split }, i).map),
        ),
      );
    const [train, heldOut] = [keys('train'), keys('held-out')];
    expect([...train].filter((key) => heldOut.has(key))).toEqual([]);
  });

  it('does not change: these sides were trained with', () => {
    const sides = maps(3, 40).map((map) => (splitOf(map) === 'train' ? 't' : 'H'));
    expect(sides.join('')).toMatchInlineSnapshot(`"tttttttttttttttttttttttttHHHttttttHttttH"`);
  });
});
