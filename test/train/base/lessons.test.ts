/** The base phase's data: maps of a samples file and of the generator. */

import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, type Checkpoint } from '../../../src/checkpoint/checkpoint.ts';
import { largestDifference } from '../../../src/conformance/check.ts';
import { generateMaps } from '../../../src/mazes/generate.ts';
import { toPng } from '../../../src/mazes/picture.ts';
import { MAP_DEFAULTS } from '../../../src/mazes/stream.ts';
import { onCpu } from '../../../src/train/parameters/parameters.ts';
import { baseSettings, readConfig } from '../../../src/train/run/config.ts';
import { openLearner } from '../../../src/train/run/start.ts';
import { openMaps, type LocatedLesson } from '../../../src/train/base/lessons.ts';
import { EXAMPLES, temporaryFolder } from '../../fixtures/cli.ts';
import { writeConfig, writeSmallModel } from '../run/fixtures.ts';

let model = '';
let checkpoint: Checkpoint;
beforeAll(async () => {
  model = await writeSmallModel();
  checkpoint = await openCheckpoint(model);
});

async function lessonsOf(data: unknown, stage: string, count: number): Promise<LocatedLesson[]> {
  const { config } = await readConfig(writeConfig({ model, data, stage }));
  const maps = await openMaps(baseSettings(config), checkpoint);
  const lessons = [];
  for (let i = 0; i < count; i++) lessons.push(await maps.at(i));
  return lessons;
}

/** A lesson whose pixels are told by their hash: there are half a million. */
function hashed({ lesson: { pixels, ...lesson } }: LocatedLesson): object {
  return { ...lesson, pixels: createHash('sha256').update(pixels).digest('hex') };
}

it.each(['perception', 'base'])(
  'a file of drawn maps teaches what drawing them teaches, each picture with all its questions (stage %s)',
  async (stage) => {
    const folder = join(temporaryFolder(), 'maps');
    const given = {
      sizes: [3, 4],
      questions: ['plan-from', 'plan', 'hole'],
      form: 'latents',
      seed: 5,
    } as const;
    const options = { ...MAP_DEFAULTS, ...given, count: 3 };
    const { samplesFile } = await generateMaps(folder, options, {
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    const drawn = await lessonsOf({ generator: given }, stage, 3);
    const read = await lessonsOf(samplesFile, stage, 3);
    const inOrder = read.toSorted((a, b) => (a.where < b.where ? -1 : 1));
    expect(inOrder.map(({ where }) => where)).toEqual([1, 4, 7].map((line) => `${samplesFile}:${line}`));
    expect(inOrder.map(hashed)).toEqual(drawn.map(hashed));
    expect(drawn[0]!.lesson.sequences).toHaveLength(stage === 'base' ? 3 : 0);
  },
  60_000,
);

it('galleries may have sizes of their own, and each size of maps its least number of moves', async () => {
  const generator = { sizes: [3, 4], minMoves: [1, 4], galleries: 1, gallerySizes: [5, 6, 7] };
  const lessons = await lessonsOf({ generator }, 'perception', 40);
  const rows = lessons.map(({ lesson: { labels } }) => Math.max(...labels['row']!) + 1);
  expect(rows.filter((_, i) => i % 2 === 0)).toEqual(Array.from({ length: 20 }, (_, i) => 3 + (i % 2)));
  expect(rows.filter((_, i) => i % 2 === 1)).toEqual(Array.from({ length: 20 }, (_, i) => 5 + (i % 3)));
  const start = 2;
  const moves = lessons.map(({ lesson: { labels } }) => labels['distance']![labels['cell']!.indexOf(start)]!);
  expect(Math.min(...moves.filter((_, i) => i % 4 === 0))).toBeLessThan(3);
  expect(Math.min(...moves.filter((_, i) => i % 4 === 2))).toBe(4);
});

/** A file with the first example and others; the samples' lines in order. */
function write(...samples: object[]): string {
  const folder = temporaryFolder();
  copyFileSync(join(EXAMPLES, 'map-01.png'), join(folder, 'map.png'));
  const file = join(folder, 'samples.jsonl');
  writeFileSync(file, samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''));
  return file;
}

const GOOD = {
  text_input: '<image>Q',
  image_input: 'map.png',
  sequence_plan: [{ type: 'text', content: 'down' }],
  map_desc: [
    [2, -1, -1],
    [0, 1, -1],
    [-1, 0, 0],
  ],
};

it('pictures of other sizes and with other numbers of questions share a step', async () => {
  const other = { ...GOOD, image_input: 'other.png', map_desc: [[1, 2]] };
  const wide = { ...GOOD, image_input: 'wide.png', map_desc: [[1, 0, -1, 2]] };
  const file = write(GOOD, { ...GOOD, text_input: '<image>Which way?' }, wide, other);
  copyFileSync(join(EXAMPLES, 'map-02.png'), join(file, '..', 'other.png'));
  const rgb = Uint8Array.from({ length: 3 * 96 * 24 }, (_, i) => (i * 37) % 256);
  writeFileSync(join(file, '..', 'wide.png'), toPng({ width: 96, height: 24, rgb }));
  const { config } = await readConfig(writeConfig({ model, data: file, stage: 'base', microBatch: 3 }));
  const learner = await openLearner(config, checkpoint, { provider: 'cpu' });
  const learn = async (positions: number[]) => {
    const losses = await learner.learn(await learner.draw(positions), 0, 1 / 3);
    const gradient = onCpu(await learner.gradient.whole()).copy();
    return { loss: (losses['ce']! + losses['perception']!) * positions.length, gradient };
  };
  const together = await learn([0, 1, 2]);
  let loss = 0;
  const sum = together.gradient.zeros();
  for (const position of [0, 1, 2]) {
    const alone = await learn([position]);
    loss += alone.loss;
    sum.blend(alone.gradient, 1, 1);
  }
  expect(Math.abs(together.loss - loss)).toBeLessThan(1e-4);
  expect(largestDifference(together.gradient.data, sum.data)).toBeLessThan(1e-4);
  await learner.release();
}, 60_000);

describe('bad input is told by its place before the first step', () => {
  const large = Array.from({ length: 9 }, (_, row) => [row === 0 ? 1 : 0, row === 8 ? 2 : 0]);
  it.each([
    ['no map', { ...GOOD, map_desc: undefined }, 'map_desc, the codes of its cells, found none'],
    ['a map that is too large', { ...GOOD, map_desc: large }, 'found 9 × 2'],
    ['two maps of one picture', { ...GOOD, map_desc: [[1, 2]] }, 'the cells that line 1 gives'],
    [
      'two pictures',
      { ...GOOD, text_input: '<image><image>', image_input: ['map.png', 'map.png'] },
      'found 2',
    ],
    ['no picture', { ...GOOD, text_input: 'Q', image_input: [] }, 'found 0 in image_input'],
    ['a missing picture', { ...GOOD, image_input: 'no.png' }, 'is missing'],
    ['an unknown code', { ...GOOD, map_desc: [[1, 2, 7]] }, 'map_desc.0.2'],
  ])('%s, in both stages', async (_, sample, message) => {
    const file = write(GOOD, sample);
    for (const stage of ['perception', 'base']) {
      const failure: unknown = await lessonsOf(file, stage, 0).catch((error: unknown) => error);
      expect(String(failure)).toContain(message);
      expect(String(failure)).toContain(`${file}:2`);
    }
  });

  it('no answer, which the base phase needs and perception does not', async () => {
    const file = write(GOOD, { ...GOOD, sequence_plan: undefined, text_input: '' });
    expect(await lessonsOf(file, 'perception', 1)).toHaveLength(1);
    await expect(lessonsOf(file, 'base', 0)).rejects.toThrow(/no answer to learn: .*samples\.jsonl:2/);
  });

  it('an empty file', async () => {
    await expect(lessonsOf(write(), 'base', 0)).rejects.toThrow('The samples file is empty');
  });
});

it('a picture that is broken, and a text that cannot be learnt, are told by their line', async () => {
  const file = write(GOOD, { ...GOOD, sequence_plan: [{ type: 'text', content: 'a<|latent_pad|>' }] });
  await expect(lessonsOf(file, 'base', 1)).rejects.toThrow(/marks latent blocks: .*samples\.jsonl:2/);
  writeFileSync(join(file, '..', 'map.png'), readFileSync(join(EXAMPLES, 'map-01.png')).subarray(0, 60));
  await expect(lessonsOf(file, 'perception', 1)).rejects.toThrow(/map\.png, .*samples\.jsonl:1/);
});
