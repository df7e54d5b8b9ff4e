/**
 * Scoring of answers.
 *
 * Maps (VSP spatial planning) are scored by walking the plan that the answer gives. Three readings of an
 * answer are kept apart, because papers use different ones:
 *
 * - boxed: the last `\boxed{…}`, of which only the letters U, D, L, R count. The headline figure.
 * - released: what the released ILVR evaluation reads where its optional package mathruler is missing.
 * - strict: the last `\boxed{…}` if it holds moves and nothing else, also as words ("DOWN LEFT").
 *
 * Other sets are scored by what a text marks as its answer (`<answer>` or `\boxed{}`), else by the released code's final
 * answer, and its normalisation. Where the right answer is a letter, the letter that a text states is compared.
 */

import { choiceOf, finalAnswer, lastBoxed, markedAnswer, normaliseAnswer } from '../trace/answer.ts';

export const HOLE = -1;
export const SAFE = 0;
export const START = 1;
export const GOAL = 2;
export type Cell = typeof HOLE | typeof SAFE | typeof START | typeof GOAL;

/** Rows of cells; every row has the same length. */
export type GridMap = Cell[][];

export type Move = 'U' | 'D' | 'L' | 'R';

export interface Verdict {
  success: boolean;
  status: 'Reached goal' | 'Did not reach goal' | 'Fell into a hole';
}

const STEPS: Record<Move, readonly [rows: number, columns: number]> = {
  U: [-1, 0],
  D: [1, 0],
  L: [0, -1],
  R: [0, 1],
};

/**
 * Walks a plan. A move off the map does nothing, entering a hole ends it, and what counts is standing on
 * the goal after the last move.
 * @throws RangeError if the map has no start
 */
export function simulate(map: GridMap, moves: Move[]): Verdict {
  let [row, column] = startOf(map);
  for (const move of moves) {
    [row, column] = step(map, row, column, move);
    if (map[row]?.[column] === HOLE) return { success: false, status: 'Fell into a hole' };
  }
  const success = map[row]?.[column] === GOAL;
  return { success, status: success ? 'Reached goal' : 'Did not reach goal' };
}

/** The cell after one move; the same one where the move would leave the map. */
export function step(map: GridMap, row: number, column: number, move: Move): [row: number, column: number] {
  const [down, right] = STEPS[move];
  const outside = map[row + down]?.[column + right] === undefined;
  return outside ? [row, column] : [row + down, column + right];
}

/** Row and column of the start. */
export function startOf(map: GridMap): [row: number, column: number] {
  const row = map.findIndex((cells) => cells.includes(START));
  if (row < 0) throw new RangeError('the map has no start');
  return [row, map[row]!.indexOf(START)];
}

/** The moves among a text's letters, in either case: "r, r, d" gives R, R, D. */
export function movesIn(path: string): Move[] {
  return Array.from(path.toUpperCase()).filter((letter): letter is Move => letter in STEPS);
}

/** The plan by the headline rule; empty without a `\boxed{…}`. */
export function boxedMoves(text: string): Move[] {
  return movesIn(lastBoxed(text) ?? '');
}

/**
 * The plan as the released code reads it without mathruler: the first `\boxed{}` that holds nothing but
 * moves, else the letters after "final answer:". Letters keep their case.
 */
export function releasedPath(text: string): string {
  const boxed = /\\boxed\{([UDLRudlr]+)\}/.exec(text);
  const stated = /final\s*answer\s*(?:is)?\s*[:：]\s*([UDLR]+)/i.exec(text);
  return boxed?.[1] ?? stated?.[1] ?? '';
}

/** The plan if the last `\boxed{…}` is nothing but a plan; undefined for prose, doubt or an empty box. */
export function strictMoves(text: string): Move[] | undefined {
  const plan = lastBoxed(text)?.replace(/^\\text\{(.*)\}$/s, '$1');
  const words = (plan ?? '').split(/[\s,;→>-]+/).filter((word) => word !== '');
  const moves: Move[] = [];
  for (const word of words) {
    const upper = word.toUpperCase();
    if (/^(UP|DOWN|LEFT|RIGHT)$/.test(upper)) moves.push(...movesIn(upper.slice(0, 1)));
    else if (/^[UDLR]+$/.test(upper)) moves.push(...movesIn(upper));
    else return undefined;
  }
  return moves.length > 0 ? moves : undefined;
}

/** What a samples file knows of the right answer: a map to walk, or an answer to compare with. */
export interface Truth {
  map?: GridMap | undefined;
  answer?: string | undefined;
}

export interface Judgement {
  /** As it was read out of the text. */
  answer: string;
  success: boolean;
  /** In words. */
  verdict: string;
}

/** Judges a text by walking its plan where there is a map, else by comparing with the sample's own answer. */
export function judge({ map, answer = '' }: Truth, text: string): Judgement {
  if (map === undefined) {
    const { found, success } = compared(
      markedAnswer(text) ?? finalAnswer(text),
      markedAnswer(answer) ?? answer,
    );
    return { answer: found, verdict: success ? 'as expected' : `expected ${answer}`, success };
  }
  const moves = boxedMoves(text);
  const { success, status } = simulate(map, moves);
  return { answer: moves.join(''), verdict: status, success };
}

/** By the letter, where the right answer is one and a letter is stated; else by the released normalisation. */
function compared(stated: string, right: string): { found: string; success: boolean } {
  const letter = /^\(?[A-Za-z]\)?\.?$/.test(right.trim()) ? choiceOf(right) : undefined;
  const choice = letter === undefined ? undefined : choiceOf(stated);
  if (choice !== undefined) return { found: choice, success: choice === letter };
  const found = normaliseAnswer(stated);
  return { found, success: found === normaliseAnswer(right) };
}
