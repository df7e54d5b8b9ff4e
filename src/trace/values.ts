/** Checks that the numbers of a trace can be what they say: shares from 0 to 1, cosines from −1 to 1, none missing. */

import { UserError } from '../base/errors.ts';
import type { NumericArray } from '../tensor/array.ts';
import type { Trace } from './schema.ts';

/** Sums and quotients of float32 may end a hair outside. */
const ROUNDING = 1e-3;

/** What an array holds, and what its axes are called, outermost first. */
interface Meaning {
  what: string;
  min: number;
  max: number;
  axes: readonly string[];
}

const TOKEN: Meaning = { what: 'attention', min: 0, max: 1, axes: ['layer', 'key'] };
const LATENT: Meaning = { what: 'attention', min: 0, max: 1, axes: ['layer', 'head', 'key'] };
const SHARES: Meaning = { what: 'selection probabilities', min: 0, max: 1, axes: ['candidate'] };
const COSINES: Meaning = { what: 'cosines', min: -1, max: 1, axes: ['value'] };
const VECTOR: Meaning = { what: 'a vector', min: -Infinity, max: Infinity, axes: ['value'] };

/**
 * A run that failed may have failed over such a number, and its trace is kept to find out: there, NaN and
 * infinities may stand, and are drawn as patches without a value.
 * @throws UserError naming the first number that cannot be, by token or latent, layer and head
 */
export function checkValues(trace: Trace, where: string): void {
  const mayMiss = trace.status === 'failed';
  const check = (of: string, array: NumericArray, meaning: Meaning): void => {
    const at = firstOutside(array, meaning, mayMiss);
    if (at >= 0) throw impossible(of, array, at, meaning, where);
  };
  trace.tokens.forEach(({ attention }, i) => {
    if (attention !== undefined) check(`token ${i + 1}`, attention, TOKEN);
  });
  for (const { block, index, vector, attention, comparisons } of trace.latents) {
    const latent = `latent ${index + 1} of block ${block + 1}`;
    check(latent, vector, VECTOR);
    check(latent, attention, LATENT);
    for (const { picture, similarity, selection } of comparisons) {
      const of = `${latent} with picture ${picture}`;
      check(of, similarity, COSINES);
      check(of, selection.cosines, COSINES);
      check(of, selection.probabilities, SHARES);
    }
  }
}

function firstOutside({ data }: NumericArray, { min, max }: Meaning, mayMiss: boolean): number {
  const [low, high] = [min - ROUNDING, max + ROUNDING];
  // NaN is on neither side of anything.
  return data.findIndex((value) => {
    if (!Number.isFinite(value)) return !mayMiss;
    return value < low || value > high;
  });
}

function impossible(
  of: string,
  { shape, data }: NumericArray,
  at: number,
  { what, min, max, axes }: Meaning,
  where: string,
): UserError {
  let rest = at;
  const place = shape
    .toReversed()
    .map((length) => {
      const index = rest % length;
      rest = Math.floor(rest / length);
      return index + 1;
    })
    .toReversed()
    .map((index, axis) => `${axes[axis]} ${index}`);
  return new UserError({
    problem: 'This trace holds a number that cannot be',
    expected: `${what} ${Number.isFinite(min) ? `from ${min} to ${max}` : 'of finite numbers'}`,
    found: `${data[at]} at ${of}, ${place.join(', ')}`,
    where,
    remedy: 'Look for what went wrong in the run that wrote it, and run it again.',
  });
}
