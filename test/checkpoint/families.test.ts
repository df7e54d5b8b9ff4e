/** Checkpoints of other projects are known by names, never by ids, and are not run as ILVR. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { exportCheckpoint } from '../../src/checkpoint/exportCheckpoint.ts';
import type { Trace } from '../../src/trace/schema.ts';
import { headerOf } from '../../src/extension/trace/text.ts';
import { reasonRun } from '../fixtures/reasonRun.ts';
import { smallFolder, withModel, type Json, type Parts } from '../fixtures/smallCheckpoint.ts';
import { expectUserError, folderOf } from './support.ts';

const ILVR = ['<|latent_pad|>', '<|latent_start|>', '<|latent_end|>'];

/** Gives the three latent ids these names in place of ILVR's, and config.json these fields. */
function named(tokens: readonly string[], fields: Json = {}): (parts: Parts) => void {
  return ({ config, files }) => {
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      ILVR.forEach((token, i) => (files[name] = (files[name] as string).replaceAll(token, tokens[i]!)));
    Object.assign(config, fields);
  };
}

const NO_IDS = { latent_token_id: undefined, latent_start_id: undefined, latent_end_id: undefined };
const MONET = ['<abs_vis_token_pad>', '<abs_vis_token>', '</abs_vis_token>'];

const FAMILIES: [string, string, (parts: Parts) => void][] = [
  ['Monet', 'by its tokens, at the ids of ILVR', named(MONET)],
  ['Monet', 'by its tokens, without ids', named(MONET, NO_IDS)],
  ['LVR', 'by its architecture', named(ILVR, { architectures: ['QwenWithLVR'] })],
  [
    'LVR',
    'by its fields',
    named(['<|a|>', '<|b|>', '<|c|>'], { ...NO_IDS, lvr_id: 494, lvr_start_id: 495, lvr_end_id: 496 }),
  ],
  ['LVR', 'by its tokens', named(['<|lvr_start|>', '<|lvr|>', '<|lvr_end|>'], NO_IDS)],
  ['SkiLa', 'by its architecture', named(ILVR, { architectures: ['SkiLa'] })],
  ['SkiLa', 'by its fields', named(['<|a|>', '<|b|>', '<|c|>'], { ...NO_IDS, skila_id: 494 })],
  ['Laser', 'by its tokens', named(['<|laser|>', '<|laser_start|>', '<|laser_end|>'], NO_IDS)],
  ['SwimBird', 'by its pad', named(['<|latent|>', '<|latent_start|>', '<|latent_end|>'])],
  ['CoVT', 'by its tokens', named(['<|anchor_start|>', '<|sam_pad|>', '<|depth_pad|>'], NO_IDS)],
  ['Mirage', 'by its stage', named(ILVR, { stage: 'stage2', compress_strategy: 'average' })],
  ['unknown', 'by tokens that nobody knows', named(['<|a|>', '<|b|>', '<|c|>'])],
];

/** A run in which the start of a latent block is put first. */
async function reasonOn(folder: string, latents: 'forced' | 'free'): Promise<Trace> {
  return withModel(folder, undefined, async (model) => {
    const { trace, error } = await reasonRun(model, {
      question: 'Where?',
      latents,
      maxTokens: 3,
      force: { 0: 495 },
    });
    if (error !== undefined) throw error;
    return trace!;
  });
}

describe.each(FAMILIES)('a checkpoint of %s, known %s', (name, _, change) => {
  test('is not run as ILVR, but as a plain model that says so', async () => {
    const folder = await smallFolder(change);
    const { config, protocol, notes } = await openCheckpoint(folder);
    expect(protocol?.name).toBe(name);
    expect(config.tokens.latent).toBeUndefined();
    expect(notes).toHaveLength(1);

    await expectUserError(async () => reasonOn(folder, 'forced'), 'not supported yet', '"free"');
    const trace = await reasonOn(folder, 'free');
    expect(trace).toMatchObject({ status: 'complete', blocks: [], latents: [] });
    expect(trace.model).toMatchObject({ protocol: name, notes });
    expect(trace.model.latentSize).toBeUndefined();
    expect(headerOf(trace)).toContain(`# ${notes[0]}`);
  });
});

describe('an ILVR checkpoint', () => {
  test.each<[string, (parts: Parts) => void]>([
    [
      'as it is released',
      ({ config }) => Object.assign(config, { stage: 'stage1', compress_strategy: 'average' }),
    ],
    ['without ids in its config', ({ config }) => Object.assign(config, NO_IDS)],
    ['with a stage that means something else', ({ config }) => Object.assign(config, { stage: 'stage2' })],
    [
      'that says so, although it looks like Mirage',
      ({ config, files }) => {
        Object.assign(config, { stage: 'stage2', compress_strategy: 'average' });
        files['ilvr.json'] = { protocol: 'ilvr' };
      },
    ],
  ])('is run as one, %s', async (_, change) => {
    const { config, protocol, notes } = await openCheckpoint(await smallFolder(change));
    expect(protocol).toBeUndefined();
    expect(notes).toEqual([]);
    expect(config.tokens.latent).toEqual({ pad: 494, start: 495, end: 496 });
  });
});

test('a model without latents is no other project’s', async () => {
  const plain = await smallFolder(named(['<|a|>', '<|b|>', '<|c|>'], NO_IDS));
  expect(await openCheckpoint(plain)).toMatchObject({ notes: [] });
  await expectUserError(async () => reasonOn(plain, 'forced'), 'no latent tokens');
});

test('a checkpoint of another project is not exported as ILVR', async () => {
  const checkpoint = await openCheckpoint(await smallFolder(named(MONET)));
  const target = path.join(await folderOf({}), 'export');
  await expectUserError(async () => exportCheckpoint(checkpoint, target, { dtype: 'float32' }), 'Monet');
  expect(existsSync(target)).toBe(false);
});

const shared = path.resolve(import.meta.dirname, '../../../shared/data');

describe.runIf(existsSync(path.join(shared, 'families')))('handed checkpoints', () => {
  test.each([
    ['families/monet', 'Monet'],
    ['families/mirage', 'Mirage'],
    ['families/lvr', 'LVR'],
    ['families/lvr-head', 'LVR'],
    ['families/skila', 'SkiLa'],
    ['families/covt', 'CoVT'],
    ['cases/30-lvr-checkpoint/lvr', 'LVR'],
  ])('%s is known as %s', async (folder, name) => {
    const { protocol, config, notes } = await openCheckpoint(path.join(shared, folder));
    expect(protocol?.name).toBe(name);
    expect(config.tokens.latent).toBeUndefined();
    expect(notes.join()).toContain(name);
  });
  test.each(['flat', 'nested', 'tied', 'bin'])('goldens/%s is known as ILVR', async (folder) => {
    expect((await openCheckpoint(path.join(shared, 'goldens', folder))).protocol).toBeUndefined();
  });
});
