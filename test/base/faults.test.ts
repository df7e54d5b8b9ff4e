/** What a schema finds wrong is told in plain words, never in its library's. */

import { expect, it } from 'vitest';
import * as z from 'zod';
import { faultText } from '../../src/base/faults.ts';

const schema = z.strictObject({
  count: z.int().min(1).max(9).optional(),
  kind: z.enum(['a', 'b']).optional(),
  names: z.array(z.string()).min(1).optional(),
  share: z.number().gt(0).optional(),
  pair: z
    .tuple([z.int(), z.int()])
    .refine(([a, b]) => a <= b, 'the first before the last')
    .optional(),
  either: z.union([z.literal('mean'), z.strictObject({ of: z.int() })]).optional(),
});

it.each<[unknown, string]>([
  [{ count: 'x' }, 'at count: expected a number, found "x"'],
  [{ count: 0 }, 'at count: expected at least 1, found 0'],
  [{ count: 10 }, 'at count: expected at most 9, found 10'],
  [{ count: 1.5 }, 'at count: expected a whole number, found 1.5'],
  [{ kind: 'c' }, 'at kind: expected one of "a", "b", found "c"'],
  [{ names: [] }, 'at names: expected at least 1 entries, found []'],
  [{ names: [null] }, 'at names.0: expected a text, found null'],
  [{ share: 0 }, 'at share: expected more than 0, found 0'],
  [{ pair: [2, 1] }, 'at pair: expected the first before the last, found [2,1]'],
  [{ either: { of: '1' } }, 'at either.of: expected a number, found "1"'],
  [{ either: 3 }, 'at either: expected one of the forms that are known, found 3'],
  [{ more: 1 }, 'at the top level: expected only what is read, found "more"'],
  [7, 'at the top level: expected an object, found 7'],
])('%j: %s', (given, text) => {
  expect(faultText(schema.safeParse(given).error!, given)).toBe(text);
});
