/** Cosines of latents of which some are zeros: these have no direction, and count in no mean. */

import { expect, it } from 'vitest';
import { cosinesOf } from '../../src/evidence/cosines.ts';
import { number } from '../../src/evidence/format.ts';
import { cosinesBetween } from '../../src/trace/queries.ts';
import type { Trace } from '../../src/trace/schema.ts';

const vector = (...values: number[]): Float32Array => Float32Array.from(values);

it('leaves vectors of zeros out of means, and says nothing of them', async () => {
  const values = await cosinesBetween([vector(1, 0), vector(0, 0), vector(1, 0)]);
  expect([...values].map((value) => (Number.isNaN(value) ? '–' : value))).toEqual([
    1,
    '–',
    1,
    '–',
    '–',
    '–',
    1,
    '–',
    1,
  ]);
  const trace = { latents: [{ block: 0 }, { block: 0 }, { block: 0 }], blocks: [{}] } as unknown as Trace;
  expect(cosinesOf(trace, values).within).toBe(1);
  const zeros = await cosinesBetween([vector(0, 0), vector(0, 0), vector(0, 0)]);
  expect(number(cosinesOf(trace, zeros).within)).toBe('no value');
});
