/** The schema that editors and other programs check traces against. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { traceJsonSchema } from '../../src/traceFile/manifest.ts';

it('the published JSON Schema is that of the definition; `npm run build` writes it', () => {
  const file = join(import.meta.dirname, '../../media/ilvr-trace.schema.json');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(traceJsonSchema());
});
