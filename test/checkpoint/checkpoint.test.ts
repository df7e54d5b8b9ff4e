import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { golden, haveGoldens } from './goldens.ts';
import { expectUserError, folderOf } from './support.ts';

test('a folder must be there and be a checkpoint', async () => {
  const empty = await folderOf({ 'config.json ': '{}' });
  await expectUserError(async () => openCheckpoint(path.join(empty, 'none')), 'nothing', 'none');
  await expectUserError(async () => openCheckpoint(import.meta.filename), 'a file');
  await expectUserError(async () => openCheckpoint(empty), 'config.json', 'holds no model');
});

test('a config on top of the folders that hold the weights names these, the last first', async () => {
  const top = await folderOf({ 'config.json': '{}', 'tokenizer.json': '{}' });
  for (const step of ['checkpoint-20', 'checkpoint-100']) {
    await mkdir(path.join(top, step));
    await writeFile(path.join(top, step, 'config.json'), '{}');
  }
  await expectUserError(async () => openCheckpoint(top), 'weights', 'checkpoint-20, checkpoint-100');
});

test.each(['config.json', 'generation_config.json', 'preprocessor_config.json', 'ilvr.json'])(
  'a folder in place of %s is said to be one',
  async (name) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'ilvr-test-'));
    await cp('models/maze', folder, { recursive: true });
    await rm(path.join(folder, name), { force: true });
    await mkdir(path.join(folder, name));
    await expectUserError(async () => openCheckpoint(folder), 'a folder', name);
    await rm(folder, { recursive: true });
  },
);

test('rules of generation in config.json are not read, and said aloud', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'ilvr-test-'));
  await cp('models/maze', folder, { recursive: true });
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, no_repeat_ngram_size: 2, min_length: 0 }));
  const { notes } = await openCheckpoint(folder);
  expect(notes).toEqual([expect.stringContaining('generation_config.json only: no_repeat_ngram_size.')]);
  await rm(folder, { recursive: true });
});

describe.skipIf(!haveGoldens)('the reference checkpoints', () => {
  test.each([
    ['flat', 'F32', 8, 1],
    ['nested', 'F32', 8, 1],
    ['tied', 'BF16', 4, 1.05],
    ['first-model', 'BF16', 8, 1],
  ] as const)('%s opens', async (folder, dtype, latentSize, repetitionPenalty) => {
    const checkpoint = await openCheckpoint(golden(folder));
    expect(checkpoint).toMatchObject({ dtype, config: { latentSize }, generation: { repetitionPenalty } });
    expect(checkpoint.generation.eosIds).toHaveLength(2);
    expect(checkpoint.parameterCount).toBeGreaterThan(500_000);
    expect(checkpoint.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  let copy: string | undefined;
  afterEach(async () => {
    if (copy !== undefined) await rm(copy, { recursive: true, force: true });
  });

  /** A copy of flat/ with some settings of one file replaced. */
  async function changed(file: string, change: object): Promise<string> {
    copy = await mkdtemp(path.join(tmpdir(), 'ilvr-test-'));
    await cp(golden('flat'), copy, { recursive: true, mode: 0 });
    const json = JSON.parse(await readFile(golden('flat', file), 'utf8')) as object;
    await rm(path.join(copy, file), { force: true });
    await writeFile(path.join(copy, file), JSON.stringify({ ...json, ...change }));
    return copy;
  }

  test.each<[string, string, object, string]>([
    [
      'an end token is outside the vocabulary',
      'generation_config.json',
      { eos_token_id: 640 },
      'end token 640',
    ],
    ['the picture token is none of the tokenizer', 'config.json', { image_token_id: 630 }, 'token 630'],
    ['the processor cuts other patches', 'preprocessor_config.json', { patch_size: 16 }, 'patch 16'],
  ])('are refused if %s', async (_, file, change, words) => {
    const folder = await changed(file, change);
    await expectUserError(async () => openCheckpoint(folder), words);
  });

  test('take latent ids from the tokenizer', async () => {
    const none = { latent_token_id: null, latent_start_id: null, latent_end_id: null };
    const { config } = await openCheckpoint(await changed('config.json', none));
    expect(config.tokens.latent).toEqual({ pad: 614, start: 615, end: 616 });
  });
});
