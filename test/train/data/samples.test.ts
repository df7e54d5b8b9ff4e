/** Which sample is learnt when, and which one is watched. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, type Checkpoint } from '../../../src/checkpoint/checkpoint.ts';
import { MAP_DEFAULTS, mapItem } from '../../../src/mazes/stream.ts';
import type { RecipeLearner } from '../../../src/train/recipe/learner.ts';
import { readConfig, trainingSettings } from '../../../src/train/run/config.ts';
import { openLearner } from '../../../src/train/run/start.ts';
import { readWatchedSample } from '../../../src/train/run/watchedSample.ts';
import { EXAMPLES } from '../../fixtures/cli.ts';
import { writeConfig, writeSmallModel } from '../run/fixtures.ts';

let model = '';
let checkpoint: Checkpoint;
const opened: RecipeLearner[] = [];
beforeAll(async () => {
  model = await writeSmallModel();
  checkpoint = await openCheckpoint(model);
});
afterAll(() => Promise.all(opened.map((learner) => learner.release())));

async function open(data: unknown): Promise<RecipeLearner> {
  const { config } = await readConfig(writeConfig({ model, data, seed: 3 }));
  const learner = (await openLearner(config, checkpoint, { provider: 'cpu' })) as RecipeLearner;
  expect(learner.trainer.settings).toEqual(trainingSettings(config));
  opened.push(learner);
  return learner;
}

const MAPS = { sizes: [3, 4], form: 'latents', seed: 5, questions: ['plan', 'hole'] } as const;
const ALTERNATING = { ...MAPS, alternate: ['judge', 'plan-from'] } as const;
const WORLDS = { sizes: [3], moves: [1, 2], walks: 2, style: [1], cell: 16 };
const FILE = join(EXAMPLES, 'samples.jsonl');

describe.each([
  ['a file', FILE],
  ['drawn maps', { generator: MAPS }],
  ['drawn maps with alternating questions', { generator: ALTERNATING }],
  ['drawn worlds', { worlds: WORLDS }],
] as const)('of %s', (_, data) => {
  it('the sample that is watched is the one that is trained at the position of its index', async () => {
    const learner = await open(data);
    for (let position = 0; position < 7; position++) {
      const [trained] = await learner.draw([position]);
      const index = learner.data.indexAt(position);
      const { where, sample, helpers } = await readWatchedSample(learner.data, index, learner.pictures);
      expect(where).toBe(trained!.where);
      expect(sample).toEqual(trained!.sample);
      expect(helpers).toHaveLength(sample.plan.filter(({ type }) => type === 'latent').length);
    }
  });
});

it.each([MAPS, ALTERNATING])(
  'drawn maps are asked all their questions in turn, one by one: %j',
  async (maps) => {
    const { data } = await open({ generator: maps });
    const asked = [0, 1, 2, 3].flatMap((i) =>
      mapItem({ ...MAP_DEFAULTS, ...maps }, i).questions.map(({ text }) => [
        `map ${i + 1} of the generator`,
        text,
      ]),
    );
    const found = asked.map((_, position) => {
      const { where, question } = data.sample(data.indexAt(position));
      return [where, question];
    });
    expect(found).toEqual(asked);
  },
);

it('an index is a line of the file, whatever the order of training', async () => {
  const { data } = await open(FILE);
  const lines = readFileSync(FILE, 'utf8').trimEnd().split('\n');
  lines.forEach((line, index) => {
    const { where, question } = data.sample(index);
    expect(where).toBe(`${FILE}:${index + 1}`);
    expect(question).toBe((JSON.parse(line) as { text_input: string }).text_input);
  });
  const order = lines.map((_, position) => data.indexAt(position));
  expect(order).not.toEqual([...lines.keys()]);
  expect(order.toSorted((a, b) => a - b)).toEqual([...lines.keys()]);
  expect(() => data.sample(lines.length)).toThrow(/no such sample to watch: expected a number from 0 to 11/);
});
