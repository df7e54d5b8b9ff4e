/** Files that others write while they are read. */

import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { GrowingLines } from '../../src/extension/growingLines.ts';
import { temporaryFolder } from '../fixtures/cli.ts';

it('each line is there once, however many look at a time, and the last only when it is whole', async () => {
  const file = join(temporaryFolder(), 'lines');
  const followed = new GrowingLines((line) => line || undefined, 1000);
  writeFileSync(file, 'a\nb\nc');
  await Promise.all([followed.read(file), followed.read(file), followed.read(file)]);
  expect(followed.lines).toEqual(['a', 'b']);
  appendFileSync(file, 'd\n');
  await Promise.all([followed.read(file), followed.read(file)]);
  expect(followed.lines).toEqual(['a', 'b', 'cd']);
});
