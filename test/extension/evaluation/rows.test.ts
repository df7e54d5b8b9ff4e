/** The table of a samples file without its page: reading, hostile files, results, filters, small pictures. */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { passPath } from '../../../src/evaluation/results.ts';
import { findEvaluations, FollowedResults } from '../../../src/extension/evaluation/resultsFiles.ts';
import { TableRows } from '../../../src/extension/evaluation/rows.ts';
import { SamplesFile } from '../../../src/extension/evaluation/samplesFile.ts';
import { SamplesTable } from '../../../src/extension/evaluation/table.ts';
import { pictureSize } from '../../../src/files/pictureSize.ts';
import type { RowQuery } from '../../../src/protocol/evaluation.ts';
import { EXAMPLES, temporaryFolder } from '../../fixtures/cli.ts';

const QUERY: RowQuery = { fed: 'own', outcome: 'all', text: '', sort: 'line', down: false };

async function read(file: string): Promise<SamplesFile> {
  const samples = new SamplesFile(file, new AbortController().signal, () => undefined);
  await samples.read();
  return samples;
}

const result = (line: number, success: boolean, answer: string): string =>
  JSON.stringify({
    line,
    size: 3,
    text: answer,
    answer,
    verdict: '',
    success,
    blocks: 2,
    latents: 16,
    tokens: 30 + line,
    milliseconds: 900,
    ...(success && {
      tests: {
        version: '1.1',
        kl: 0.5 / line,
        faithfulness: { value: 0.25, low: line / 2 - 0.75, high: 0.75 },
      },
    }),
  });

function header(samples: string, fed?: string): string {
  const settings = fed === undefined ? {} : { intervention: fed };
  return JSON.stringify({
    format: 'ilvr-results',
    version: 1,
    samples,
    model: 'm',
    provider: 'cpu',
    settings,
  });
}

describe('a samples file', () => {
  it('becomes rows, with what cannot be used, and finds its pictures again', async () => {
    const folder = temporaryFolder();
    copyFileSync(join(EXAMPLES, 'map-01.png'), join(folder, 'a.png'));
    const lines = [
      { text_input: '<image>Go.', image_input: 'a.png', original_final_answer: 'LU', map_id: 'first' },
      { text_input: 'No picture', image_input: 'b.png', original_final_answer: 'x' },
      {
        text_input: 'In the line',
        image_input: readFileSync(join(folder, 'a.png')).toString('base64'),
        map_desc: [[1, 2]],
      },
    ];
    const file = join(folder, 's.jsonl');
    writeFileSync(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\nnonsense\n`);
    const samples = await read(file);
    expect(samples.failure).toBeUndefined();
    expect(samples.entries.map(({ line, id, truth, size }) => [line, id, truth, size])).toEqual([
      [1, 'first', 'LU', undefined],
      [2, undefined, 'x', undefined],
      [3, undefined, '', 1],
      [4, undefined, '', undefined],
    ]);
    expect(samples.entries[1]!.problem).toContain('A picture of this sample is missing');
    expect(samples.entries[3]!.problem).toContain('not JSON');
    for (const place of [0, 2]) {
      const picture = await samples.picture(samples.entries[place]!);
      expect([picture.type, picture.problem, picture.bytes!.length > 1000]).toEqual([
        'image/png',
        undefined,
        true,
      ]);
      const sample = await samples.sample(samples.entries[place]!);
      expect((await sample.images[0]!.read()).length).toBe(picture.bytes!.length);
    }
  });

  it('that is none says why, and a picture that claims too much is not given away', async () => {
    const folder = temporaryFolder();
    expect((await read(join(folder, 'absent.jsonl'))).failure).toContain('cannot be opened');
    mkdirSync(join(folder, 'folder.jsonl'));
    expect((await read(join(folder, 'folder.jsonl'))).failure).toContain('a folder');
    writeFileSync(join(folder, 'empty.jsonl'), '\n\n');
    expect((await read(join(folder, 'empty.jsonl'))).failure).toContain('holds no samples');
    const bomb = Buffer.from(readFileSync(join(EXAMPLES, 'map-01.png')));
    bomb.writeUInt32BE(40_000, 16);
    bomb.writeUInt32BE(40_000, 20);
    writeFileSync(join(folder, 'bomb.png'), bomb);
    writeFileSync(join(folder, 'not.png'), 'not a picture');
    const lines = ['bomb.png', 'not.png'].map((image_input) =>
      JSON.stringify({ text_input: 'q', image_input, original_final_answer: 'x' }),
    );
    writeFileSync(join(folder, 's.jsonl'), lines.join('\n'));
    const samples = await read(join(folder, 's.jsonl'));
    const pictures = await Promise.all(samples.entries.map((entry) => samples.picture(entry)));
    expect(pictures.map(({ bytes }) => bytes)).toEqual([undefined, undefined]);
    expect(pictures[0]!.problem).toMatch(/too large.*40000 × 40000/);
    expect(pictures[1]!.problem).toContain('without a small picture');
  });

  it('is joined with the results beside it, which are followed while they grow', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 's.jsonl');
    const lines = ['LU', 'RD', 'DD'].map((original_final_answer) =>
      JSON.stringify({ text_input: 'q', original_final_answer }),
    );
    writeFileSync(file, lines.join('\n'));
    const samples = await read(file);
    const hash = samples.hash!;
    const path = (name: string): string => join(folder, name);
    writeFileSync(path('s.m.results.own.jsonl'), `${header(hash)}\n${result(1, true, 'LU')}\n`);
    writeFileSync(path('s.m.results.zero.jsonl'), `${header(hash, 'zero')}\n${result(1, false, 'D')}\n`);
    // Of other samples, and no results at all.
    writeFileSync(path('old.results.jsonl'), `${header('x')}\n${result(1, false, 'D')}\n`);
    writeFileSync(path('notes.jsonl'), 'notes\n');
    const found = await findEvaluations(file, hash);
    expect(found.map(({ id }) => id)).toEqual([path('s.m.results.jsonl')]);
    const followed = new FollowedResults(found[0]!.id, hash);
    expect(await followed.refresh()).toBe(true);
    const rows = new TableRows();
    rows.show(samples.entries, followed.passes(), 1);
    expect(
      rows.rows(QUERY, 0, 9).rows.map(({ outcome, answer, outcomes }) => [outcome, answer, ...outcomes]),
    ).toEqual([
      ['right', 'LU', 'right', 'wrong'],
      ['open', undefined, 'open', 'open'],
      ['open', undefined, 'open', 'open'],
    ]);
    // A line in the writing is not one yet.
    const own = readFileSync(path('s.m.results.own.jsonl'), 'utf8');
    writeFileSync(
      path('s.m.results.own.jsonl'),
      `${own}${result(2, false, 'U')}\n${result(3, true, 'DD').slice(0, 20)}`,
    );
    expect([await followed.refresh(), await followed.refresh()]).toEqual([true, false]);
    rows.show(samples.entries, followed.passes(), 2);
    const linesOf = (query: Partial<RowQuery>): number[] =>
      rows.rows({ ...QUERY, ...query }, 0, 9).rows.map(({ line }) => line);
    expect(linesOf({ outcome: 'differs' })).toEqual([1]);
    expect(linesOf({ outcome: 'wrong' })).toEqual([2]);
    expect(linesOf({ sort: 'tokens', down: true })).toEqual([2, 1, 3]);
    expect(linesOf({ sort: 'outcome' })).toEqual([2, 1, 3]);
    expect(linesOf({ text: 'dd' })).toEqual([3]);
    expect(linesOf({ fed: 'zero', outcome: 'wrong' })).toEqual([1]);
    expect([linesOf({ tests: 'moves' }), linesOf({ tests: 'still' })]).toEqual([[1], []]);
    expect([linesOf({ tests: 'faithful' }), linesOf({ tests: 'unfaithful' })]).toEqual([[], [1]]);
    expect(linesOf({ fed: 'zero', sort: 'kl' })).toEqual([1, 2, 3]);
    expect(rows.csv({ ...QUERY, outcome: 'right' }).split('\r\n')).toEqual([
      'line,id,size,question,truth,answer,outcome,blocks,latents,tokens,milliseconds,KL without latents,map faithfulness,map faithfulness from,map faithfulness to,problem,with own,with zero',
      '1,,,q,LU,LU,right,2,16,31,900,0.5,0.25,-0.25,0.75,,right,wrong',
      '',
    ]);
  });
});

it('never shows figures of one evaluation under the name of another', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 's.jsonl');
  writeFileSync(file, JSON.stringify({ text_input: 'q', original_final_answer: 'LU' }));
  const { hash } = await read(file);
  const results = (name: string): string => join(folder, `s.${name}.results.jsonl`);
  writeFileSync(passPath(results('right'), 'own'), `${header(hash!)}\n${result(1, true, 'LU')}\n`);
  writeFileSync(passPath(results('wrong'), 'own'), `${header(hash!)}\n${result(1, false, 'D')}\n`);
  const idle = { work: () => undefined, failureOf: () => undefined };
  const table = new SamplesTable(file, idle, () => undefined);
  const shown = (): unknown[] => {
    const { id, tests, passes } = table.state().evaluation!;
    return [id, tests?.kl?.mean, passes[0]!.all.right];
  };
  try {
    await table.start();
    await table.choose(results('right'));
    const before = shown();
    const choosing = table.choose(results('wrong'));
    const meanwhile = shown();
    await choosing;
    expect([before, meanwhile, shown()]).toEqual([
      [results('right'), 0.5, 1],
      [results('right'), 0.5, 1],
      [results('wrong'), undefined, 0],
    ]);
  } finally {
    table.dispose();
  }
});

describe('the size of a picture by its header', () => {
  const bytes = (text: string, ...rest: number[]): Uint8Array =>
    Uint8Array.from([...Buffer.from(text, 'latin1'), ...rest]);

  it.each([
    ['GIF', bytes('GIF89a', 3, 1, 2, 0), { type: 'image/gif', width: 259, height: 2 }],
    [
      'JPEG behind a comment and fill bytes',
      bytes('\xff\xd8\xff\xfe\x00\x04ab\xff\xff\xff\xc2\x00\x11\x08\x01\x00\x02\x00'),
      { type: 'image/jpeg', width: 512, height: 256 },
    ],
    [
      'WebP, extended',
      bytes('RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0', 0, 1, 0, 9, 0, 0),
      { type: 'image/webp', width: 257, height: 10 },
    ],
    [
      'WebP, lossless',
      bytes('RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f', 0x63, 0xc0, 0x18, 0),
      { type: 'image/webp', width: 100, height: 100 },
    ],
    [
      'BMP from the top',
      bytes('BM', ...Array.from({ length: 16 }, () => 0), 7, 0, 0, 0, 0xfb, 0xff, 0xff, 0xff),
      { type: 'image/bmp', width: 7, height: 5 },
    ],
  ])('of %s', (_, picture, size) => {
    expect(pictureSize(picture)).toEqual(size);
    for (let length = 0; length < picture.length - 1; length++)
      expect(pictureSize(picture.subarray(0, length))).toBeUndefined();
  });
});
