/** `ilvr figure`: what it writes, and what it never replaces. */

import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ilvr, temporaryFolder } from '../fixtures/cli.ts';
import { oneFile } from '../fixtures/reopened.ts';
import { smallRun } from '../fixtures/smallTrace.ts';

/** No engine is asked. */
const NO_ENGINE = 'none';

async function traceFile(): Promise<string> {
  const file = join(temporaryFolder(), 'run.ilvr.json');
  writeFileSync(file, await oneFile(smallRun()));
  return file;
}

it('writes the same figure twice, and its numbers with the latent they are of', async () => {
  const trace = await traceFile();
  const files = ['a.svg', 'b.svg', 'c.csv'].map((name) => join(trace, '..', name));
  for (const out of files) {
    const { code, err } = await ilvr(
      ['figure', trace, '--latent', '3', '--layer', '1', '--out', out],
      NO_ENGINE,
    );
    expect(code, err).toBe(0);
  }
  const [a, b, numbers] = files.map((file) => readFileSync(file, 'utf8'));
  expect(a).toContain('Block 2, latent 1 over crossing.png');
  expect(b).toBe(a);
  expect(numbers!.split(/\r?\n/)[0]).toBe('row,column,block 2 latent 1');
});

it('never takes the place of its trace, and knows two forms only', async () => {
  const trace = await traceFile();
  const before = readFileSync(trace, 'utf8');
  const link = join(trace, '..', 'figure.svg');
  symlinkSync(trace, link);
  for (const [out, message] of [
    [link, /would replace its trace/],
    [trace, /not written in this form.*\.svg or \.csv/],
    [join(trace, '..', 'x.pdf'), /not written in this form/],
  ] as const) {
    const { code, err } = await ilvr(['figure', trace, '--out', out], NO_ENGINE);
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
  }
  expect(readFileSync(trace, 'utf8')).toBe(before);
});
