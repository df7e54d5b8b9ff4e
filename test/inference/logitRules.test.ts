/** A generation_config.json's rules, against what transformers' own processors make of the same scores. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseGenerationConfig } from '../../src/checkpoint/defaults.ts';
import { argMax, drawRules, likeliest, scoreRules } from '../../src/inference/logitRules.ts';
import { Sampler } from '../../src/inference/sampler.ts';

/** Made by scripts/reference/logitRules.py. */
interface Answers {
  prompt: number[];
  ends: number[];
  /** Scores of each new token, whatever came before. */
  table: number[][];
  cases: { settings: Record<string, unknown>; ids: number[]; kept?: number[][] }[];
}

const { prompt, ends, table, cases } = JSON.parse(
  readFileSync(new URL('logitRules.json', import.meta.url), 'utf8'),
) as Answers;
const rows = table.map((row) => Float32Array.from(row));
const PLAIN = { temperature: 0, topP: 1, seed: 0 };

const parse = (settings: object) => parseGenerationConfig({ eos_token_id: ends, ...settings }, 'a file');
const sequence = (ids: number[]) => ({
  ids,
  promptLength: prompt.length,
  maxLength: prompt.length + table.length,
});
const greedy = cases.filter(({ kept }) => kept === undefined);
const drawn = cases.filter(({ kept }) => kept !== undefined);

describe('a greedy choice', () => {
  it.each(greedy.map((item) => [JSON.stringify(item.settings), item] as const))(
    'with %s has the ids of transformers',
    (_name, { settings, ids: expected }) => {
      const defaults = parse(settings);
      const sampler = new Sampler({ ...PLAIN, repetitionPenalty: defaults.repetitionPenalty }, defaults);
      const ids = [...prompt];
      for (const row of rows) ids.push(sampler.choose(row, sequence(ids), []));
      expect(ids.slice(prompt.length)).toEqual(expected);
      expect(defaults.ignored).toBeUndefined();
    },
  );

  it('is another one with each of them, or nothing would be shown', () => {
    const [plain, ...others] = greedy;
    for (const { settings, ids } of others) expect(ids, JSON.stringify(settings)).not.toEqual(plain!.ids);
  });
});

describe('a draw', () => {
  it.each(drawn.map((item) => [JSON.stringify(item.settings), item] as const))(
    'with %s is made from the ids of transformers',
    (_name, { settings, ids: expected, kept }) => {
      const {
        scoreRules: scores = {},
        drawRules: draws = {},
        temperature = 1,
        topP = 1,
        eosIds,
      } = parse(settings);
      const rules = [...scoreRules(scores, eosIds), ...drawRules({ ...draws, temperature, top_p: topP })];
      const ids = [...prompt];
      rows.forEach((row, i) => {
        const left = row.slice();
        for (const apply of rules) apply(left, sequence(ids));
        expect(Array.from(left.keys()).filter((id) => left[id]! > -Infinity)).toEqual(kept![i]);
        ids.push(argMax(left));
      });
      expect(ids.slice(prompt.length)).toEqual(expected);
    },
  );

  it('takes only ids that are left, however often', () => {
    const defaults = parse({ do_sample: true, top_k: 3, min_p: 0.01 });
    const sampler = new Sampler({ ...PLAIN, temperature: 5, repetitionPenalty: 1 }, defaults);
    const drawnIds = Array.from({ length: 500 }, () => sampler.choose(rows[5]!, sequence(prompt), []));
    const best = Array.from(rows[5]!.keys()).toSorted((a, b) => rows[5]![b]! - rows[5]![a]!);
    expect([...new Set(drawnIds)].toSorted((a, b) => a - b)).toEqual(
      best.slice(0, 3).toSorted((a, b) => a - b),
    );
  });
});

it('rules that leave nothing to choose are told, not chosen by chance', () => {
  const all = { suppress_tokens: Array.from(rows[0]!.keys()) };
  const sampler = new Sampler({ ...PLAIN, repetitionPenalty: 1 }, parse(all));
  expect(() => sampler.choose(rows[0]!, sequence(prompt), [])).toThrow(
    /leave no token .* generation_config\.json.*suppress_tokens/,
  );
});

describe('what a run says of the settings', () => {
  const ignored = (settings: object) => parse(settings).ignored;

  it('is nothing where they are at values without effect', () => {
    const quiet = {
      num_beams: 1,
      no_repeat_ngram_size: 0,
      bad_words_ids: null,
      suppress_tokens: [],
      guidance_scale: 1,
      typical_p: 1,
      top_k: 0,
      use_cache: true,
      bos_token_id: 1,
      transformers_version: '4.50.0',
      encoder_repetition_penalty: 1,
    };
    expect(parse(quiet)).toEqual({ eosIds: ends, repetitionPenalty: 1 });
  });

  it('names what is not obeyed, known or not, and values that cannot be', () => {
    expect(
      ignored({
        num_beams: 4,
        penalty_alpha: 0.6,
        dola_layers: 'low',
        no_repeat_ngram_size: 'two',
        mystery: [1],
      }),
    ).toEqual([
      { name: 'num_beams', value: '4' },
      { name: 'penalty_alpha', value: '0.6' },
      { name: 'dola_layers', value: '"low"' },
      { name: 'no_repeat_ngram_size', value: '"two"' },
      { name: 'mystery', value: '[1]' },
    ]);
  });

  it('stays short whatever the file holds', () => {
    const many = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`x${i}`.padEnd(900, 'y'), 'z'.repeat(900)]),
    );
    const found = ignored(many)!;
    expect(found).toHaveLength(20);
    for (const { name, value } of found) expect(name.length + value.length).toBeLessThan(130);
  });
});

describe('scores of a real vocabulary', () => {
  /** Of either sign, many of them equal, zeros of both signs, some banned. */
  const scores = Float32Array.from({ length: 20_000 }, (_, id) =>
    id % 7 === 0 ? -Infinity : Math.round(50 * Math.sin(id * id)) / 8,
  );
  const slow = [...scores.keys()]
    .filter((id) => scores[id]! > -Infinity)
    .toSorted((a, b) => scores[b]! - scores[a]! || a - b);

  it('are in order, of equal ones the first id first', () => {
    expect(scores.some((score) => Object.is(score, -0))).toBe(true);
    expect(likeliest(scores)).toEqual(slow);
  });

  it.each([1, 20, 5000, 17_142, 19_999, 20_001])(
    'top-k of %d keeps all that are as good as the last',
    (k) => {
      const found = scores.slice();
      for (const apply of drawRules({ top_k: k })) apply(found, sequence([]));
      const least = scores[slow[k - 1] ?? -1] ?? -Infinity;
      expect(found).toEqual(scores.map((score) => (score < least ? -Infinity : score)));
    },
  );
});
