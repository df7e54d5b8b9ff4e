/** What a small model was never asked in training is said, and what it was asked is not. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { readTrainedOn, TRAINED_ON_FILE, type TrainedOn } from '../../src/checkpoint/trainedOn.ts';
import { beyondTraining } from '../../src/engine/beyondTraining.ts';
import { knownWorlds } from '../../src/examples/knownWorlds.ts';
import { folderOfModel } from '../../src/files/bundledModels.ts';
import { worldItem, type WorldOptions } from '../../src/worlds/stream.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { repository } from '../fixtures/paths.ts';

const MODELS = join(repository, 'models');
const SEEN = { name: 'map.png', width: 112, height: 112 };

const KNOWN: TrainedOn = {
  words: ['Where', 'is', 'it'],
  wordCount: [2, 4],
  pictures: [[112, 112]],
  mostPictures: 2,
};

describe('of a question and its pictures is said', () => {
  it('nothing, where all was in training', () => {
    expect(beyondTraining(KNOWN, '<image>Where is it?', [SEEN, SEEN])).toEqual([]);
    expect(beyondTraining({}, 'Anything at all', [{ ...SEEN, width: 1 }])).toEqual([]);
  });

  it('which words are new, in the letters as they stand, some of many', () => {
    const [few] = beyondTraining(KNOWN, 'where is it is', [SEEN]);
    expect(few).toBe(
      "No question of the model's training had “where”. What it makes of such words means nothing.",
    );
    const [many] = beyondTraining({ words: ['a'] }, 'b c d e f g h i', []);
    expect(many).toMatch(/had “b”, “c”, “d”, “e”, “f”, “g” and 2 more\./);
  });

  it('that a question is longer, or shorter', () => {
    expect(beyondTraining(KNOWN, 'Where is it, it is?', [SEEN])).toEqual([
      "The longest question of the model's training had 4 words. This one has 5.",
    ]);
    expect(beyondTraining(KNOWN, 'Where?', [SEEN])).toEqual([
      "The shortest question of the model's training had 2 words. This one has 1.",
    ]);
  });

  it('that there are more pictures', () => {
    expect(beyondTraining({ mostPictures: 1 }, 'Where is it?', [SEEN, SEEN])).toEqual([
      "Questions of the model's training had at most 1 picture. This one has 2.",
    ]);
  });

  it('which picture is of another size', () => {
    const other = { name: 'photo.png', width: 640, height: 480 };
    expect(beyondTraining(KNOWN, 'Where is', [other])).toEqual([
      "Pictures of the model's training had 112 × 112 px. This one has 640 × 480.",
    ]);
    expect(beyondTraining(KNOWN, 'Where is', [SEEN, other])).toEqual([
      "Pictures of the model's training had 112 × 112 px. photo.png has 640 × 480.",
    ]);
  });
});

it('the bundled worlds know every question of their training, and no word, length or size that is none of it', async () => {
  const { trainedOn } = await openCheckpoint(folderOfModel(MODELS, 'bundled:worlds'));
  const options: WorldOptions = { ...knownWorlds(1, 1, [1, 2, 3, 4, 5, 6]), split: 'train' };
  const words = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const { question, picture } = worldItem(options, i);
    const { width, height } = picture();
    expect(beyondTraining(trainedOn!, question.text, [{ name: '', width, height }])).toEqual([]);
    for (const word of question.text.replace('<image>', '').match(/\w+/g)!) words.add(word);
  }
  expect([...words].toSorted()).toEqual([...trainedOn!.words!].toSorted());
  const still = worldItem({ ...options, moves: [0] }, 0);
  expect(beyondTraining(trainedOn!, still.question.text, [SEEN])).toHaveLength(1);
  const beyond = worldItem({ ...options, moves: [7], sizes: [5] }, 0);
  const { width, height } = beyond.picture();
  expect(beyondTraining(trainedOn!, beyond.question.text, [{ name: '', width, height }])).toHaveLength(2);
});

it.each(['maze', 'control-carrying', 'control-bypassed'])('%s knows its own question alone', async (name) => {
  const { trainedOn, question } = await openCheckpoint(folderOfModel(MODELS, `bundled:${name}`));
  expect(beyondTraining(trainedOn!, question!, [SEEN])).toEqual([]);
  expect(beyondTraining(trainedOn!, 'What colour is the sky?', [SEEN])).toHaveLength(1);
});

it.each([
  ['{"words": "all"}', /words/],
  ['{"pictures": [[112]]}', /pictures/],
  ['{"wordCount": [-1, 2]}', /wordCount/],
  ['{"wordCount": [5, 2]}', /wordCount/],
  ['{"words": []}', /words/],
  ['{"moves": 6}', /moves/],
  ['{', /JSON/],
])('a file that says %s is refused by name', async (text, message) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, TRAINED_ON_FILE), text);
  await expect(readTrainedOn(folder)).rejects.toThrow(message);
  await expect(readTrainedOn(folder)).rejects.toThrow(TRAINED_ON_FILE);
});
