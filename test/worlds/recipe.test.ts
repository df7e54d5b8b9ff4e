/** The recipe of the model of worlds: configs that a run takes, and a tokenizer that leaves each word and cell whole. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadTokenizer } from '../../src/checkpoint/text/tokenizer.ts';
import { readConfig } from '../../src/train/run/config.ts';
import { SIGNS } from '../../src/worlds/notation.ts';
import { DYNAMICS, MOVES } from '../../src/worlds/world.ts';
import { WORLD_QUESTIONS } from '../../src/worlds/questions.ts';
import { WORLD_DEFAULTS, worldItem } from '../../src/worlds/stream.ts';
import { repository } from '../fixtures/paths.ts';

const FOLDER = join(repository, 'models/recipe/worlds');
const configs = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

it.each(configs)('%s is a config that a run takes, on worlds for training', async (name) => {
  const { config } = await readConfig(join(FOLDER, name));
  expect(config.data).toHaveProperty('worlds.split', 'train');
  expect(config.run).toBe(join(repository, 'build/bundled/worlds', name.replace('.json', '')));
});

it('each cell of a state and each word of a question is one token, but for a space before a bracket', async () => {
  const tokenizer = await loadTokenizer(join(FOLDER, 'blank'));
  const tokens = (text: string): string[] => tokenizer.encode(text).map((id) => tokenizer.tokenText(id));
  expect(tokens(`{${Object.values(SIGNS).join('')}/}`)).toEqual(['{', ...Object.values(SIGNS), '/', '}']);
  for (const dynamics of DYNAMICS)
    for (const [i, kind] of WORLD_QUESTIONS.entries()) {
      const options = { ...WORLD_DEFAULTS, questions: [kind], dynamics: [dynamics], style: [1], cell: 8 };
      const words = tokens(worldItem(options, i).question.text.replace('<image>', ''));
      expect(words.map((word) => word.trim()).filter(Boolean)).toEqual(
        words.join('').match(/[a-z]+|[^a-z ]/gi),
      );
    }
  expect(tokens(MOVES.join(' '))).toEqual(['up', ' down', ' left', ' right']);
});
