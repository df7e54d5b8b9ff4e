/** What a model must beat: many maps need one move only, many answers are the same. */

import { normaliseAnswer } from '../trace/answer.ts';
import { GOAL, HOLE, simulate, startOf, step, type GridMap, type Move } from './scoring.ts';

const MOVES = ['U', 'D', 'L', 'R'] as const;

/** Plans of up to this many moves are tried as the one answer to every map: 1,364 of them. */
const MAJORITY_LENGTH = 5;

/** A walk that has neither fallen nor arrived by then hardly will. */
const WALK_LENGTH = 200;

export interface Baselines {
  /** Expected share solved by a random walk that stops on the goal; it fails where it enters a hole. */
  randomWalk: number;
  /** Share solved by the one plan that solves most of these maps. */
  majority: { moves: string; share: number };
}

/** Baselines of a set of maps; undefined for an empty set. */
export function baselinesOf(maps: GridMap[]): Baselines | undefined {
  if (maps.length === 0) return undefined;
  const randomWalk = maps.reduce((sum, map) => sum + walkSuccess(map), 0) / maps.length;
  return { randomWalk, majority: majorityPlan(maps) };
}

/** The most frequent answer of a set that has no maps, and its share; undefined for an empty set. */
export function majorityAnswer(answers: readonly string[]): { answer: string; share: number } | undefined {
  const counts = new Map<string, number>();
  for (const answer of answers.map(normaliseAnswer)) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  const [best] = [...counts].toSorted(([, a], [, b]) => b - a);
  return best && { answer: best[0], share: best[1] / answers.length };
}

/** Probability that uniformly random moves reach the goal before a hole, by propagating the distribution. */
export function walkSuccess(map: GridMap): number {
  const columns = map[0]?.length ?? 0;
  const [row, column] = startOf(map);
  let here = new Map([[row * columns + column, 1]]);
  let arrived = 0;
  for (let i = 0; i < WALK_LENGTH; i++) {
    const next = new Map<number, number>();
    for (const [cell, probability] of here) {
      for (const move of MOVES) {
        const [r, c] = step(map, Math.floor(cell / columns), cell % columns, move);
        const code = map[r]![c]!;
        if (code === GOAL) arrived += probability / 4;
        else if (code !== HOLE) next.set(r * columns + c, (next.get(r * columns + c) ?? 0) + probability / 4);
      }
    }
    here = next;
  }
  return arrived;
}

function majorityPlan(maps: GridMap[]): { moves: string; share: number } {
  let best = { moves: '', solved: -1 };
  for (const plan of plansUpTo(MAJORITY_LENGTH)) {
    const solved = maps.filter((map) => simulate(map, plan).success).length;
    if (solved > best.solved) best = { moves: plan.join(''), solved };
  }
  return { moves: best.moves, share: best.solved / maps.length };
}

function plansUpTo(length: number): Move[][] {
  let last: Move[][] = [[]];
  const all: Move[][] = [];
  for (let i = 0; i < length; i++) {
    last = last.flatMap((plan) => MOVES.map((move) => [...plan, move]));
    all.push(...last);
  }
  return all;
}
