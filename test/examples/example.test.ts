/** Examples that bundled models know, and the names of these models. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawExample, EXAMPLES } from '../../src/examples/example.ts';
import { BUNDLED_MODELS, folderOfModel } from '../../src/files/bundledModels.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { repository } from '../fixtures/paths.ts';

const MODELS = join(repository, 'models');
const { signal } = new AbortController();

describe.each(EXAMPLES)('an example of a %s', (kind) => {
  it('has one picture, a question, and a helper picture for each move, and its model is there', async () => {
    const { images, helpers, question, model } = await drawExample(kind, temporaryFolder(), signal);
    expect(images).toHaveLength(1);
    expect(helpers.length).toBeGreaterThanOrEqual(3);
    for (const file of [...images, ...helpers]) expect(existsSync(file), file).toBe(true);
    expect(question).toMatch(kind === 'world' ? /^(On \w+, a|A)fter .*: what is the map\?$/ : /safe path/);
    expect(existsSync(join(folderOfModel(MODELS, model), 'model.safetensors'))).toBe(true);
  });
});

describe('a bundled model', () => {
  it.each(BUNDLED_MODELS)('%s is found by its name', (name) => {
    expect(folderOfModel(MODELS, `bundled:${name}`)).toBe(join(MODELS, name));
  });

  it('is the maze where none is named, and a path is a path', () => {
    expect(folderOfModel(MODELS)).toBe(join(MODELS, 'maze'));
    expect(folderOfModel(MODELS, '/elsewhere/worlds')).toBe('/elsewhere/worlds');
  });

  it('that there is not is refused with the names that there are', () => {
    expect(() => folderOfModel(MODELS, 'bundled:../secrets')).toThrow(/expected bundled:maze, .*found bundled:\.\.\/secrets/);
  });
});
