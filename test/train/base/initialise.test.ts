/** New models: whole or not at all, and never among other people's files. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import { haveEqualBytes, readStoredTensors } from '../../../src/checkpoint/formats/safetensors.ts';
import { TRAINED_ON_FILE } from '../../../src/checkpoint/trainedOn.ts';
import { initialise } from '../../../src/train/base/initialise.ts';
import { temporaryFolder } from '../../fixtures/cli.ts';
import { repository } from '../../fixtures/paths.ts';

const BLANK = join(repository, 'models/recipe/blank');
/** Its sizes, made small. */
const SMALL = { num_hidden_layers: 1, intermediate_size: 8 };

let description = '';
let parent = '';
beforeEach(() => {
  [description, parent] = [temporaryFolder(), temporaryFolder()];
  for (const name of readdirSync(BLANK))
    writeFileSync(join(description, name), readFileSync(join(BLANK, name)));
  const config = JSON.parse(readFileSync(join(BLANK, 'config.json'), 'utf8')) as object;
  writeFileSync(join(description, 'config.json'), JSON.stringify({ ...config, ...SMALL }));
});

it.each(['a folder that does not exist', 'an empty one'])('is written into %s, and opens', async (kind) => {
  const out = join(parent, 'new');
  if (kind === 'an empty one') mkdirSync(out);
  writeFileSync(join(description, TRAINED_ON_FILE), '{"words": ["of", "other", "weights"]}');
  await initialise(description, out, 0);
  const opened = await openCheckpoint(out);
  expect([opened.config.text.layers, opened.trainedOn]).toEqual([1, undefined]);
  expect(readdirSync(parent)).toEqual(['new']);
});

it('takes the tower of another model of its sizes, and refuses one of others', async () => {
  const [from, out] = [join(parent, 'from'), join(parent, 'out')];
  await initialise(description, from, 1);
  await initialise(description, out, 2, from);
  const names = ['visual.patch_embed.proj.weight', 'model.embed_tokens.weight'];
  const tensors = async (folder: string) => {
    const stored = await readStoredTensors(join(folder, 'model.safetensors'));
    return names.map((name) => stored.get(name)!);
  };
  const [[tower, words], [itsTower, itsWords]] = [await tensors(from), await tensors(out)];
  expect(await haveEqualBytes(tower!, itsTower!)).toBe(true);
  expect(await haveEqualBytes(words!, itsWords!)).toBe(false);

  await expect(
    initialise(description, join(parent, 'no'), 0, join(repository, 'models/worlds')),
  ).rejects.toThrow(
    /tower is of other sizes than the description: expected layers 8, .* as .*config\.json says, found layers 2, .* in .*worlds\./,
  );
  expect(existsSync(join(parent, 'no'))).toBe(false);
});

it.each(['notes.txt', 'config.json', 'model.safetensors'])(
  'is not written where somebody has %s, which stays as it is',
  async (name) => {
    writeFileSync(join(parent, name), 'mine');
    await expect(initialise(description, parent, 0)).rejects.toThrow(`found ${name}, in ${parent}`);
    expect(readdirSync(parent)).toEqual([name]);
    expect(readFileSync(join(parent, name), 'utf8')).toBe('mine');
  },
);

it('is not written over its own description', async () => {
  const before = readdirSync(description);
  await expect(initialise(description, description, 0)).rejects.toThrow('among other files');
  expect(readdirSync(description)).toEqual(before);
});

it('leaves nothing behind where it fails', async () => {
  writeFileSync(join(parent, 'file'), '');
  await expect(initialise(description, join(parent, 'file'), 0)).rejects.toThrow('found a file');
  await expect(initialise(parent, join(parent, 'out'), 0)).rejects.toThrow('config.json');
  expect(existsSync(join(parent, 'out'))).toBe(false);
});
