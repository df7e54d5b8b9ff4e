import { describe, expect, test } from 'vitest';
import { parseJson } from '../../src/base/json.ts';
import { FUZZ_ROUNDS, mutate, seededRandom, type Random } from '../fixtures/random.ts';

describe("JSON with Python's numbers", () => {
  test.each<[string, unknown]>([
    ['NaN', Number.NaN],
    ['[Infinity, -Infinity, NaN]', [Infinity, -Infinity, Number.NaN]],
    ['{"a": {"b": NaN}, "c": "NaN"}', { a: { b: Number.NaN }, c: 'NaN' }],
    ['{"NaN": NaN, "NaN~": [Infinity]}', { NaN: Number.NaN, 'NaN~': [Infinity] }],
    [
      '{"text": "say \\"Infinity\\\\", "x": -Infinity, "y": "NaN, NaN"}',
      { text: 'say "Infinity\\', x: -Infinity, y: 'NaN, NaN' },
    ],
    ['[1e400, "-Infinity", "\\u004eaN"]', [Infinity, '-Infinity', 'NaN']],
  ])('%s is read', (text, value) => expect(parseJson(text)).toStrictEqual(value));

  test.each([
    '',
    '{',
    '[NaNs]',
    '[-NaN]',
    '[nan]',
    '[+Infinity]',
    '[InfinityInfinity]',
    '{NaN: 1}',
    '["NaN]',
  ])('%j is refused', (text) => expect(() => parseJson(text)).toThrow(SyntaxError));

  test('is what was written (fuzz)', () => {
    const random = seededRandom(11);
    for (let round = 0; round < FUZZ_ROUNDS; round++) {
      const value = randomValue(random, 4);
      expect(parseJson(pythonJson(value))).toStrictEqual(value);
    }
  });

  test('is refused or read whatever happened to it (fuzz)', () => {
    const random = seededRandom(12);
    const text = pythonJson({ a: [Number.NaN, Infinity, 'x"\\'], 'b\n': { c: -Infinity, NaN: null } });
    for (let round = 0; round < FUZZ_ROUNDS; round++) {
      try {
        parseJson(mutate(text, random));
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
      }
    }
  });
});

function randomValue(random: Random, depth: number): unknown {
  const leaf = random.below(depth > 0 ? 8 : 6);
  if (leaf < 6)
    return random.pick([Number.NaN, Infinity, -Infinity, 0.5, null, 'NaN', 'a"NaN"', '\\Infinity', '~']);
  const items = Array.from({ length: random.below(4) }, () => randomValue(random, depth - 1));
  return leaf === 6 ? items : Object.fromEntries(items.map((item, i) => [`NaN ${i}"`, item]));
}

/** As json.dumps writes it. */
function pythonJson(value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${pythonJson(item)}`);
  return `{${members.join(', ')}}`;
}
