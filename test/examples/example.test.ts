/** Examples that bundled models know, and the names of these models. */

import { existsSync, readFileSync } from 'node:fs';
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
    const { images, helpers, question, model, truth } = await drawExample(kind, temporaryFolder(), signal);
    expect(images).toHaveLength(1);
    expect(helpers.length).toBeGreaterThanOrEqual(3);
    for (const file of [...images, ...helpers]) expect(existsSync(file), file).toBe(true);
    expect(question).toMatch(kind === 'world' ? /^(On \w+, a|A)fter .*: what is the map\?$/ : /safe path/);
    expect(Object.keys(truth)).toContain(kind === 'world' ? 'answer' : 'map');
    expect(existsSync(join(folderOfModel(MODELS, model), 'model.safetensors'))).toBe(true);
  });
});

it('a world to show has crates that lie elsewhere in the end', async () => {
  for (let i = 0; i < 8; i++) {
    const folder = temporaryFolder();
    await drawExample('world', folder, signal);
    const { states } = JSON.parse(readFileSync(join(folder, 'samples.jsonl'), 'utf8')) as { states: string[] };
    const crates = (state: string): string => state.replaceAll(/[^$/]/g, '.');
    expect(crates(states.at(-1)!)).not.toBe(crates(states[0]!));
  }
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
