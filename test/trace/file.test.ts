import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { readTrace, writeTrace } from '../../src/trace/file.ts';
import { TRACE_VERSION } from '../../src/trace/format.ts';
import { migrated, type AnyTrace } from '../../src/trace/migrate.ts';
import type { TraceLatent } from '../../src/trace/schema.ts';
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
    expect(() => readTrace(newer, 'newer')).toThrow(
      /written by a newer.*expected version 1 or older, found version 2, in newer\. Update/,
    );
  });

  it('of an older version is migrated step by step, or told apart from a newer one', () => {
    const old = { version: 1, format: 'ilvr-trace', ask: 'Which way?' };
    const versions = {
      current: 3,
      steps: {
        1: ({ ask, ...rest }: AnyTrace) => ({ ...rest, question: ask }),
        2: (trace: AnyTrace) => ({ ...trace, question: [trace['question']] }),
      },
    };
    expect(migrated(old, 'old', versions)).toEqual({
      version: 3,
      format: 'ilvr-trace',
      question: ['Which way?'],
    });
    expect(() => migrated({ ...old, version: 4 }, 'new', versions)).toThrow(/by a newer.*found version 4/);
    expect(() => migrated({ ...old, version: 0 }, 'old', versions)).toThrow(
      /older than any.*expected version 1 to 3, found version 0/,
    );
    expect(() => readTrace(text.replace('"version":1', '"version":0'), 'old')).toThrow(/older than any/);
  });

  it.each([1.5, '1', null, undefined])('with %j for its version is refused as such', (version) => {
    expect(() => migrated({ version }, 'x')).toThrow(/does not say which version/);
  });

  it.each([NaN, Infinity, -0.1, 7])('with attention of %d is refused where it is', (value) => {
    const latent = smallTrace();
    latent.latents[2]!.attention.data[latent.latents[2]!.attention.shape[2]! * 3 + 5] = value;
    expect(() => readTrace(writeTrace(latent), 'odd.ilvr.json')).toThrow(
      new RegExp(
        `expected attention from 0 to 1, found .* at latent 1 of block 2, layer 2, head 2, key 6, in odd`,
      ),
    );
    const token = smallTrace();
    token.tokens[1]!.attention!.data[0] = value;
    expect(() => readTrace(writeTrace(token), 'odd')).toThrow(/at token 2, layer 1, key 1, in odd/);
  });

  it('with cosines, probabilities or vectors that cannot be is refused by their name', () => {
    const odd = (change: (latent: TraceLatent) => void): string => {
      const trace = smallTrace();
      change(trace.latents[0]!);
      return writeTrace(trace);
    };
    expect(() =>
      readTrace(
        odd(({ vector }) => (vector.data[3] = NaN)),
        'x',
      ),
    ).toThrow(/expected a vector of finite numbers, found NaN at latent 1 of block 1, value 4/);
    expect(() =>
      readTrace(
        odd(({ comparisons }) => (comparisons[1]!.similarity.data[0] = 2)),
        'x',
      ),
    ).toThrow(/expected cosines from -1 to 1, found 2 at latent 1 of block 1 with picture helper-1/);
    const probabilities = odd(({ comparisons }) => (comparisons[0]!.selection.probabilities.data[1] = -1));
    expect(() => readTrace(probabilities, 'x')).toThrow(/selection probabilities from 0 to 1.*candidate 2/);
  });

  it('of a run that failed over a missing number opens again, with its error', () => {
    const trace = smallTrace('failed');
    trace.failure = 'The logits are not finite numbers.';
    trace.latents.at(-1)!.attention.data[0] = NaN;
    trace.latents.at(-1)!.vector.data[0] = Infinity;
    expect(readTrace(writeTrace(trace), 'failed')).toEqual(trace);
    trace.latents.at(-1)!.attention.data[0] = 7;
    expect(() => readTrace(writeTrace(trace), 'failed')).toThrow(/found 7 at latent 1 of block 2/);
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
