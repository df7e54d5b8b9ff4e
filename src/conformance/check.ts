/** What a conformance case is: a name, and measures against tolerances. */

/** One comparison with a reference answer: `error` must not exceed `tolerance`. */
export interface Measure {
  what: string;
  error: number;
  tolerance: number;
}

export interface Check {
  name: string;
  run(): Promise<Measure[]>;
}

/** A part of the folder that this version does not check, and why. */
export interface NotRun {
  name: string;
  why: string;
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
  return { what, error: largestDifference(actual, expected), tolerance };
}

/** A measure of anything else: equal as JSON or not. */
export function same(what: string, actual: unknown, expected: unknown): Measure {
  return { what, error: JSON.stringify(actual) === JSON.stringify(expected) ? 0 : Infinity, tolerance: 0 };
}
