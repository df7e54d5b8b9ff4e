import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { readTrace, writeTrace } from '../../src/trace/file.ts';
import { TRACE_VERSION } from '../../src/trace/format.ts';
import { FUZZ_ROUNDS, mutate, mutateValue, seededRandom } from '../fixtures/random.ts';
import { smallTrace } from '../fixtures/smallTrace.ts';

const text = writeTrace(smallTrace());

describe('a trace file', () => {
  it('cut off anywhere is refused as incomplete', () => {
    for (const share of [0, 0.1, 0.5, 0.99]) {
      expect(() => readTrace(text.slice(0, Math.floor(text.length * share)), 'cut.ilvr.json')).toThrow(
        /not a complete ILVR trace.*cut\.ilvr\.json/,
      );
    }
  });

  it('of a newer version is refused with the advice to update', () => {
    const newer = text.replace(`"version":${TRACE_VERSION}`, `"version":${TRACE_VERSION + 1}`);
    expect(() => readTrace(newer, 'newer')).toThrow(/expected version 1, found 2.*Update/);
  });

  it.each([
    ['{}', /not an ILVR trace/],
    ['[]', /not an ILVR trace/],
    ['null', /not an ILVR trace/],
    ['"ilvr-trace"', /not an ILVR trace/],
    ['{"format":"ilvr-trace","version":"1"}', /version/],
    ['{"format":"ilvr-trace","version":1}', /damaged/],
  ])('that holds %s is refused', (content, message) => {
    expect(() => readTrace(content, 'x')).toThrow(message);
    expect(() => readTrace(content, 'x')).toThrow(UserError);
  });

  it('with an array whose bytes do not fit its shape is refused', () => {
    const wrong = text.replace('"shape":[4],', '"shape":[5],');
    expect(() => readTrace(wrong, 'x')).toThrow(/20 bytes for shape \[5\], found 16/);
  });

  it('with unknown fields is refused, so that nothing is lost silently', () => {
    expect(() => readTrace(text.replace('{', '{"extra":1,'), 'x')).toThrow(UserError);
  });

  it(`damaged in ${FUZZ_ROUNDS} ways is read or refused with a UserError, never anything else`, () => {
    const random = seededRandom(1);
    let refused = 0;
    for (let i = 0; i < FUZZ_ROUNDS; i++) {
      const damaged = i % 2 === 0 ? mutate(text, random) : withMutatedValue(random);
      try {
        readTrace(damaged, 'fuzz');
      } catch (error) {
        if (!(error instanceof UserError)) throw new Error(`round ${i}: ${String(error)}`, { cause: error });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(FUZZ_ROUNDS / 4);
  });
});

function withMutatedValue(random: ReturnType<typeof seededRandom>): string {
  const json: unknown = JSON.parse(text);
  mutateValue(json, random);
  return JSON.stringify(json);
}
