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

it('draws charts twice alike, as PNG too, and says what an analysis needs', async () => {
  const trace = await traceFile();
  const out = (name: string) => join(trace, '..', name);
  const figure = (name: string, ...args: string[]) =>
    ilvr(['figure', trace, '--out', out(name), ...args], NO_ENGINE);
  for (const name of ['a.svg', 'b.svg', 'c.png', 'd.csv']) {
    const { code, err } = await figure(
      name,
      '--chart',
      'sources',
      '--layer',
      '1',
      '--shares',
      'without-prompt',
    );
    expect(code, err).toBe(0);
  }
  const [a, b, png, numbers] = ['a.svg', 'b.svg', 'c.png', 'd.csv'].map((name) => readFileSync(out(name)));
  expect(a!.equals(b!)).toBe(true);
  expect(a!.toString()).toContain('layer 1 of');
  expect(png!.subarray(1, 4).toString()).toBe('PNG');
  expect(numbers!.toString()).toMatch(/^position,kind,text,block,latent,pictures,latents,own words\r\n1,/);
  const { code, err } = await figure('e.svg', '--chart', 'lens');
  expect([code, err]).toEqual([1, expect.stringContaining('ilvr analyse TRACE lens --save')]);
});

it.each([
  ['--head does nothing of a map of selection', ['--kind', 'selection', '--head', '1'], 'svg'],
  ['--layer does nothing of a map of similarity', ['--kind', 'similarity', '--layer', '1'], 'svg'],
  ['--law does nothing in the numbers of a map of attention', ['--law', 'heat'], 'csv'],
  ['--law does nothing of the chart span', ['--chart', 'span', '--law', 'heat'], 'svg'],
  ['--layer does nothing of the chart pca', ['--chart', 'pca', '--layer', '2'], 'svg'],
  ['--measure does nothing of a map of attention', ['--measure', 'rollout'], 'svg'],
])('%s: wrong usage', async (message, args, ending) => {
  const { code, err } = await ilvr(['figure', 'none', '--out', `x.${ending}`, ...args], NO_ENGINE);
  expect([code, err]).toEqual([2, expect.stringContaining(message)]);
});

it('never takes the place of its trace, and knows three forms only', async () => {
  const trace = await traceFile();
  const before = readFileSync(trace, 'utf8');
  const link = join(trace, '..', 'figure.svg');
  symlinkSync(trace, link);
  for (const [out, expected, message] of [
    [link, 1, /would replace its trace/],
    [trace, 2, /not written in this form.*\.svg or \.png or \.csv/],
    [join(trace, '..', 'x.pdf'), 2, /not written in this form/],
  ] as const) {
    const { code, err } = await ilvr(['figure', trace, '--out', out], NO_ENGINE);
    expect([code, err]).toEqual([expected, expect.stringMatching(message)]);
  }
  expect(readFileSync(trace, 'utf8')).toBe(before);
});
