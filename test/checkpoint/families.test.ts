/** Checkpoints of every family are known by names, never by ids, and think by its protocol. */
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

const LVR = ['<|lvr|>', '<|lvr_start|>', '<|lvr_end|>'];
const SKILA = ['<|skila|>', '<|sketch_start|>', '<|sketch_end|>'];
const STAGE_2 = { stage: 'stage2', compress_strategy: 'average' };

const FAMILIES: [string, string, (parts: Parts) => void, object][] = [
  ['Monet', 'by its tokens, at the ids of ILVR', named(MONET), { count: 10, firstFeed: 'replace-start' }],
  ['Monet', 'by its tokens, without ids', named(MONET, NO_IDS), { append: 'own' }],
  ['LVR', 'by its architecture', named(LVR, { ...NO_IDS, architectures: ['QwenWithLVR'] }), { count: 8 }],
  [
    'LVR',
    'by its fields, whatever its tokens are called',
    named(['<|a|>', '<|b|>', '<|c|>'], { ...NO_IDS, lvr_id: 494, lvr_start_id: 495, lvr_end_id: 496 }),
    { tokens: { start: { name: '<|b|>', id: 495 } } },
  ],
  ['LVR', 'by its tokens', named(LVR, NO_IDS), { limitInside: 'ignored', forcedEnd: false }],
  ['SkiLa', 'by its architecture', named(SKILA, { ...NO_IDS, architectures: ['SkiLa'] }), { count: 54 }],
  ['SkiLa', 'by its fields', named(SKILA, { ...NO_IDS, sketch_token_num: 5 }), { count: 10 }],
  [
    'Laser',
    'by its tokens',
    named(['<|laser|>', '<|laser_start|>', '<|laser_end|>'], NO_IDS),
    { firstToken: 'start', stop: { endToken: true, repeats: 3 } },
  ],
  [
    'CoVT',
    'by its tokens',
    named(['<|anchor_start|>', '<|sam_pad|>', '<|depth_pad|>'], NO_IDS),
    {
      source: 'token',
      tokens: {
        visual: [
          { name: '<|sam_pad|>', id: 495 },
          { name: '<|depth_pad|>', id: 496 },
        ],
      },
    },
  ],
  ['Mirage', 'by its stage', named(ILVR, { ...STAGE_2, latent_size: 4 }), { count: 8, state: 'run' }],
];

/** A run in which the start of a latent block is put first. */
async function reasonOn(
  folder: string,
  latents: 'forced' | 'free',
  start = 495,
  protocol?: Record<string, unknown>,
): Promise<Trace> {
  return withModel(folder, undefined, async (model) => {
    const { trace, error } = await reasonRun(model, {
      question: 'Where?',
      latents,
      maxTokens: 3,
      force: { 0: start },
      ...(protocol !== undefined && { protocol }),
    });
    if (error !== undefined) throw error;
    return trace!;
  });
}

describe.each(FAMILIES)('a checkpoint of %s, known %s', (name, _, change, expected) => {
  test('thinks by the protocol of its own, which its trace and header tell', async () => {
    const folder = await smallFolder(change);
    const { config, notes } = await openCheckpoint(folder);
    expect(config.protocol).toMatchObject({ name, ...expected });
    // Training knows ILVR's recipe alone.
    expect(config.tokens.latent).toBeUndefined();
    const trace = await reasonOn(folder, 'forced', config.protocol!.tokens.start?.id ?? 495);
    expect(trace.model.protocol).toEqual(config.protocol);
    expect(trace.model.latentSize).toBe(config.protocol!.count);
    expect(trace.latents.length).toBeGreaterThan(0);
    const header = headerOf(trace).join('\n');
    expect(header).toContain(`${name} · `);
    for (const note of notes) expect(header).toContain(note);
  });
});

describe('an ILVR checkpoint', () => {
  test.each<[string, (parts: Parts) => void]>([
    ['as it is released', ({ config }) => Object.assign(config, { ...STAGE_2, stage: 'stage1' })],
    ['without ids in its config', ({ config }) => Object.assign(config, NO_IDS)],
    ['with a stage that means something else', ({ config }) => Object.assign(config, { stage: 'stage2' })],
    [
      'that says so, although it looks like Mirage',
      ({ config, files }) => {
        Object.assign(config, STAGE_2);
        files['ilvr.json'] = { protocol: 'ilvr' };
      },
    ],
  ])('is run as one, %s', async (_, change) => {
    const { config, notes } = await openCheckpoint(await smallFolder(change));
    expect(config.protocol?.name).toBe('ILVR');
    expect(notes).toEqual([]);
    expect(config.tokens.latent).toEqual({ pad: 494, start: 495, end: 496 });
  });
});

test('a model without latents is no other project’s', async () => {
  const plain = await smallFolder(named(['<|a|>', '<|b|>', '<|c|>'], NO_IDS));
  expect(await openCheckpoint(plain)).toMatchObject({ notes: [] });
  await expectUserError(async () => reasonOn(plain, 'forced'), 'no latent tokens');
});

test('latents that nobody knows are told, and run as plain text', async () => {
  const folder = await smallFolder(named(['<|a|>', '<|b|>', '<|c|>']));
  const { config, notes } = await openCheckpoint(folder);
  expect(config.protocol).toBeUndefined();
  expect(notes.join()).toContain('<|a|>, <|b|>, <|c|>');
  await expectUserError(async () => reasonOn(folder, 'forced'), 'nobody described', '"free"', 'ilvr.json');
  expect(await reasonOn(folder, 'free')).toMatchObject({ status: 'complete', blocks: [], latents: [] });
});

describe('what cannot be', () => {
  const own =
    (protocol: unknown): ((parts: Parts) => void) =>
    ({ files }) => {
      files['ilvr.json'] = { protocol } as Json;
    };
  test.each<[string, (parts: Parts) => void, string[]]>([
    [
      'two families',
      named(MONET, { lvr_start_id: 495 }),
      ['several projects', 'Monet (', 'LVR (', 'ilvr.json'],
    ],
    [
      'a field of a record that nobody knows',
      own({ like: 'Monet', feeds: 'hidden' }),
      ['ilvr.json', 'feeds'],
    ],
    ['a family that nobody knows', own('monnet'), ['none that is known', '"monnet"', 'Monet']],
    ['a token that is not there', own('lvr'), ['lacks', '<|lvr_start|>']],
    [
      'an id beyond the vocabulary',
      named(LVR, { ...NO_IDS, lvr_start_id: 5000 }),
      ['do not belong together', 'below', '5000'],
    ],
    [
      'a head without weights',
      named(LVR, { ...NO_IDS, lvr_head: true, lvr_head_type: 'glu' }),
      ['lacks', 'lvr_head.gate_proj.weight'],
    ],
    [
      'a head of another type',
      named(LVR, { ...NO_IDS, lvr_head: true, lvr_head_type: 'wide' }),
      ['"simple" or "glu"', 'wide'],
    ],
    [
      'a distance without its vector',
      own({ like: 'ILVR', stop: { distance: { to: 'lvr_latent_end_emb', measure: 'mse', threshold: 1 } } }),
      ['lacks', 'the tensor lvr_latent_end_emb'],
    ],
  ])('%s is refused, with what to do', async (_, change, parts) => {
    const folder = await smallFolder(change);
    await expectUserError(async () => openCheckpoint(folder), ...(parts as [string]));
  });

  test('a run may change its protocol, but not by what nobody knows, and not what its model lacks', async () => {
    const folder = await smallFolder(named(MONET));
    const trace = await reasonOn(folder, 'forced', 495, { count: 2 });
    expect(trace.model.protocol).toMatchObject({ name: 'Monet', count: 2, countFrom: 'setting' });
    expect(trace.latents).toHaveLength(2);
    expect(trace.tokens[0]).toMatchObject({ kind: 'latent', id: 495 });
    expect(trace.tokens[1]!.chosen).toBeDefined();
    await expectUserError(async () => reasonOn(folder, 'forced', 495, { latents: 2 }), 'latents');
    await expectUserError(async () => reasonOn(folder, 'forced', 495, { source: 'head' }), 'lacks', 'head');
  });

  test('a block that nothing ends is stopped at the bound of its record, which its trace tells', async () => {
    const folder = await smallFolder(named(MONET));
    const trace = await reasonOn(folder, 'forced', 495, { count: 100, bound: 2 });
    expect(trace).toMatchObject({ status: 'complete', blocks: [{ ended: 'endless', latents: 2 }] });
  });
});

test('a record in ilvr.json says what is different of a family', async () => {
  const folder = await smallFolder((parts) => {
    named(['<|thought|>', '<|think|>', '<|/think|>'], NO_IDS)(parts);
    parts.files['ilvr.json'] = {
      protocol: {
        name: 'Thinker',
        like: 'Monet',
        tokens: { start: '<|think|>', pad: '<|thought|>', end: '<|/think|>' },
        count: { from: 'config', field: 'latent_size', otherwise: 3 },
        stop: { repeats: 2 },
      },
    };
  });
  const { config } = await openCheckpoint(folder);
  expect(config.protocol).toMatchObject({
    name: 'Thinker',
    firstFeed: 'replace-start',
    count: 8,
    stop: { endToken: true, repeats: 2 },
    tokens: { start: { name: '<|think|>', id: 495 } },
  });
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
    ...['flat', 'nested', 'tied', 'bin'].map((name) => [`goldens/${name}`, 'ILVR']),
  ])('%s is known as %s', async (folder, name) => {
    const { config } = await openCheckpoint(path.join(shared, folder));
    expect(config.protocol?.name).toBe(name);
  });

  test('an LVR checkpoint without the head that its config tells of is refused', async () => {
    const folder = path.join(shared, 'cases/30-lvr-checkpoint/lvr');
    await expectUserError(async () => openCheckpoint(folder), 'lacks', 'lvr_head.mlp.0.weight');
  });
});
