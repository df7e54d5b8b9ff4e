/** Rows of files that people have, as they were handed over. Rows built by code: samples.test.ts and ../cli. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readAllSamples, type Sample, type SampleOptions } from '../../src/dataset/samples.ts';
import { buildFakeEngine, ilvr } from '../fixtures/cli.ts';
import { repository } from '../fixtures/paths.ts';

const CASES = join(repository, '../shared/data/cases');
const MIRAGE = join(CASES, '17-mirage-paths');
const ROWS = join(CASES, '24-evaluate-rows');

async function all(file: string, options: SampleOptions = {}): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const { sample } of readAllSamples(file, options)) samples.push(sample);
  return samples;
}

let engine = '';
beforeAll(async () => {
  engine = await buildFakeEngine();
});

describe.runIf(existsSync(MIRAGE))('case 17, paths from another folder', () => {
  const file = join(MIRAGE, 'data/examples/sample.jsonl');

  it('are not found, and the message names the folder and the option', async () => {
    const [sample] = await all(file);
    expect(sample!.problem?.message).toContain(`if paths count from ${MIRAGE}`);
    expect(sample!.problem?.message).toContain('--pictures');
  });

  it('are found with it', async () => {
    const { code, out } = await ilvr(['evaluate', file, '--pictures', MIRAGE], engine);
    expect([code, out.includes('not answered')]).toEqual([0, false]);
  });
});

describe.runIf(existsSync(ROWS))('case 24, rows of official files', () => {
  it('are read, or have the fault that they have', async () => {
    const faults = await Promise.all(
      readdirSync(ROWS)
        .filter((name) => name.endsWith('.jsonl'))
        .map(async (name) => [
          name,
          (await all(join(ROWS, name))).map((one) => one.problem?.details.problem),
        ]),
    );
    expect(Object.fromEntries(faults)).toEqual({
      'b64.jsonl': [undefined],
      'comt-list.jsonl': [undefined],
      'helper-null.jsonl': [undefined],
      'noimage.jsonl': [undefined],
      'onemissing.jsonl': [undefined, 'A picture of this sample is missing', undefined],
    });
  });

  it('with a picture in base64 hold that picture', async () => {
    const [sample] = await all(join(ROWS, 'b64.jsonl'));
    expect(Buffer.from(await sample!.images[0]!.read())).toEqual(readFileSync(join(ROWS, 'imgs/a.png')));
  });

  it('with one missing picture are evaluated but for that one', async () => {
    const { code, out } = await ilvr(['evaluate', join(ROWS, 'onemissing.jsonl')], engine);
    expect([code, /of 3 = /.test(out), /not answered +1/.test(out)]).toEqual([0, true, true]);
  });
});
