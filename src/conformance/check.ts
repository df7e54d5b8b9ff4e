/** What a conformance case is: a name, and measures against tolerances. */

import * as z from 'zod';

/** One comparison with a reference answer: `error` must not exceed `tolerance`. */
export interface Measure {
  what: string;
  error: number;
  tolerance: number;
  /** How many values were compared; a case that compares none has not passed. */
  values: number;
}

export interface Check {
  name: string;
  run(): Promise<Measure[]>;
}

/** A part of the folder that is not checked, if there is such a part. */
export interface NotRun {
  name: string;
  /** Asked when the checks before it have run; undefined where all is checked. */
  why: () => string | undefined;
}

/** Tells the tensors that no check has asked for. */
export function unread(name: string, unused: () => readonly string[]): NotRun {
  return {
    name,
    why: () => {
      const names = unused();
      return names.length === 0 ? undefined : `nothing compares ${names.join(', ')}`;
    },
  };
}

/** Beyond this a difference would say nothing any more. */
const MAX_ROUNDING = 0.1;

const rounding = z.number().min(0).max(MAX_ROUNDING);

/** How far a case's own answers may be off for their float32: one figure, or one for each kind of answer. */
export const caseRounding = z.union([rounding, z.record(z.string(), rounding)]).optional();
export type Rounding = z.output<typeof caseRounding>;

/**
 * What an answer may be off: the usual, or three times the rounding of the answer itself.
 * @param kinds names under which the case may tell the rounding, the closest first
 */
export function toleranceOf(usual: number, told: Rounding, ...kinds: readonly string[]): number {
  const own =
    typeof told === 'number' ? told : kinds.map((kind) => told?.[kind]).find((value) => value !== undefined);
  return Math.max(usual, 3 * (own ?? 0));
}

/** Largest absolute difference; infinite where lengths differ or a value is not a number. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest;
}

/** A measure of arrays of numbers, exact unless a tolerance is given. */
export function compare(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance = 0,
): Measure {
  return { what, error: largestDifference(actual, expected), tolerance, values: expected.length };
}

/** A measure of anything else: equal as JSON or not. */
export function same(what: string, actual: unknown, expected: unknown): Measure {
  const error = JSON.stringify(actual) === JSON.stringify(expected) ? 0 : Infinity;
  return { what, error, tolerance: 0, values: 1 };
}
