/** Checks that the numbers of a trace can be what they say: shares from 0 to 1, cosines from −1 to 1, none missing. */

import { UserError } from '../base/errors.ts';
import { visualCount } from './columns.ts';
import { LOOKS } from './looks.ts';
import type { Trace } from './schema.ts';

/** Sums and quotients of float32 may end a hair outside, and float16 rounds. */
const ROUNDING = 1e-3;

type Numbers = 'attention' | 'cosine' | 'vector' | 'bits';

const BOUNDS: Readonly<Record<Numbers, readonly [min: number, max: number]>> = {
  attention: [0, 1],
  cosine: [-1, 1],
  vector: [-Infinity, Infinity],
  bits: [0, Infinity],
};

/**
 * Checks numbers as they are read.
 *
 * A run that failed may have failed over such a number, and its trace is kept to find out: there, NaN and
 * infinities may stand, and are drawn as patches without a value.
 * @throws UserError naming the first number that cannot be
 */
export function checkNumbers(
  trace: Pick<Trace, 'status'>,
  what: Numbers,
  values: Float32Array,
  where?: string,
): void {
  const [min, max] = BOUNDS[what];
  const mayMiss = trace.status === 'failed';
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    // NaN is on neither side of anything.
    if (value >= min - ROUNDING && value <= max + ROUNDING && Number.isFinite(value)) continue;
    if (mayMiss && !Number.isFinite(value)) continue;
    throw new UserError({
      problem: 'This trace holds a number that cannot be',
      expected: Number.isFinite(max) ? `${what} from ${min} to ${max}` : 'finite numbers',
      found: `${value}, number ${i + 1} of ${values.length}`,
      ...(where !== undefined && { where }),
      remedy: 'Look for what went wrong in the run that wrote it, and run it again.',
    });
  }
}

/** Checks what a trace holds without its container. */
export function checkLooks(trace: Trace, where: string): void {
  const patches = visualCount(trace);
  trace.tokens.forEach(({ looks }, i) => {
    if (looks === undefined) return;
    for (let at = 0; at < looks.data.length; at += LOOKS.length) {
      const row = looks.data.subarray(at, at + LOOKS.length);
      const of = `${where}, token ${i + 1}`;
      checkNumbers(trace, 'attention', row.subarray(0, 4), of);
      checkNumbers(trace, 'bits', row.subarray(4), of);
      if (row[5]! >= Math.max(1, patches)) throw outside(row[5]!, patches, of);
    }
  });
}

function outside(peak: number, patches: number, where: string): UserError {
  return new UserError({
    problem: 'This trace contradicts itself',
    expected: `the largest of ${patches} patches`,
    found: `patch ${peak + 1}`,
    where,
  });
}
