/** Traces as files: what is refused, and how; traces of version 1. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { readArray } from '../../src/trace/arrays.ts';
import { TRACE_VERSION } from '../../src/trace/format.ts';
import { lookAt } from '../../src/trace/looks.ts';
import { MemoryContainer } from '../../src/traceFile/container.ts';
import { readManifest, writeManifest } from '../../src/traceFile/manifest.ts';
import { migrated } from '../../src/traceFile/migrate.ts';
import type { AnyTrace } from '../../src/traceFile/migrationStep.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { FUZZ_ROUNDS, mutate, mutateValue, seededRandom } from '../fixtures/random.ts';
import { fromFile, oneFile, reopened } from '../fixtures/reopened.ts';
import { altered, smallRun, smallTrace } from '../fixtures/smallTrace.ts';

const text = await oneFile(smallRun());
/** The small run as the first version wrote it. */
const version1 = readFileSync(join(import.meta.dirname, 'version1.ilvr.json'), 'utf8');

const sink = new MemoryContainer();

describe('a trace file', () => {
  it('cut off anywhere is refused as incomplete', async () => {
    for (const share of [0, 0.1, 0.5, 0.99]) {
      await expect(
        readManifest(text.slice(0, Math.floor(text.length * share)), 'cut.ilvr.json'),
      ).rejects.toThrow(/not a complete ILVR trace.*cut\.ilvr\.json/);
    }
  });

  it('of a newer version is refused with the advice to update', async () => {
    const newer = text.replace(`"version":${TRACE_VERSION}`, `"version":${TRACE_VERSION + 1}`);
    await expect(readManifest(newer, 'newer')).rejects.toThrow(
      /written by a newer.*expected version 3 or older, found version 4, in newer\. Update/,
    );
  });

  it('of an older version is migrated step by step, or told apart from a newer one', async () => {
    const old = { version: 1, format: 'ilvr-trace', ask: 'Which way?' };
    const versions = {
      current: 3,
      steps: {
        1: ({ ask, ...rest }: AnyTrace) => ({ ...rest, question: ask }),
        2: (trace: AnyTrace) => ({ ...trace, question: [trace['question']] }),
      },
    };
    expect(await migrated(old, sink, 'old', versions)).toEqual({
      version: 3,
      format: 'ilvr-trace',
      question: ['Which way?'],
    });
    await expect(migrated({ ...old, version: 4 }, sink, 'new', versions)).rejects.toThrow(
      /by a newer.*found version 4/,
    );
    await expect(migrated({ ...old, version: 0 }, sink, 'old', versions)).rejects.toThrow(
      /older than any.*expected version 1 to 3, found version 0/,
    );
    await expect(
      readManifest(text.replace(`"version":${TRACE_VERSION}`, '"version":0'), 'old'),
    ).rejects.toThrow(/older than any/);
  });

  it.each([1.5, '1', null, undefined])('with %j for its version is refused as such', async (version) => {
    await expect(migrated({ version }, sink, 'x')).rejects.toThrow(/does not say which version/);
  });

  it.each([NaN, Infinity, -0.1, 7])('with looks of %d is refused where they are', async (value) => {
    const run = smallRun();
    run.trace.tokens[1]!.looks!.data[1] = value;
    await expect(oneFile(run).then((changed) => readManifest(changed, 'odd.ilvr.json'))).rejects.toThrow(
      /holds a number that cannot be.*number 2 of 4, in odd\.ilvr\.json, token 2/,
    );
  });

  it('whose largest patch lies outside the pictures is refused', async () => {
    const run = smallRun();
    run.trace.tokens[1]!.looks!.data[5] = 6;
    await expect(reopened(run)).rejects.toThrow(
      /the largest of 6 patches, found patch 7, in a file, token 2/,
    );
  });

  it.each([
    ['{}', /not an ILVR trace/],
    ['[]', /not an ILVR trace/],
    ['null', /not an ILVR trace/],
    ['"ilvr-trace"', /not an ILVR trace/],
    ['{"format":"ilvr-trace","version":"1"}', /version/],
    ['{"format":"ilvr-trace","version":1}', /damaged/],
    ['{"format":"ilvr-trace","version":2}', /damaged/],
  ])('that holds %s is refused', async (content, message) => {
    await expect(readManifest(content, 'x')).rejects.toThrow(message);
    await expect(readManifest(content, 'x')).rejects.toThrow(UserError);
  });

  it('with an array of another shape, beyond its container, or out of order is refused', async () => {
    const changed = async (change: (run: OpenTrace) => void): Promise<unknown> => {
      const run = smallRun();
      change(run);
      return reopened(run);
    };
    const first = ({ trace }: OpenTrace) => trace.latents[0]!;
    await expect(changed((run) => first(run).vector.shape.push(1))).rejects.toThrow(
      /latents\.0\.vector to be \[4\]/,
    );
    await expect(changed((run) => (first(run).mean.offset = 1e6))).rejects.toThrow(/within the \d+ bytes/);
    await expect(changed((run) => (first(run).attention.shape[0] = 3))).rejects.toThrow(UserError);
    await expect(changed(({ trace }) => (trace.latents = trace.latents.toReversed()))).rejects.toThrow(
      /contradicts itself/,
    );
  });

  it('whose looks do not fit their shape is refused', async () => {
    const wrong = text.replace('"shape":[2,6]', '"shape":[2,7]');
    await expect(readManifest(wrong, 'x')).rejects.toThrow(/56 bytes for shape \[2, 7\], found 48/);
  });

  it.each(['../secret.ilvr.bin', '/etc/passwd', 'a\\b.ilvr.bin', 'C:x.ilvr.bin', 'notes.txt'])(
    'whose arrays are said to be in %s is refused',
    async (file) => {
      const json = JSON.parse(text) as { arrays: { bytes: number } };
      const elsewhere = JSON.stringify({ ...json, arrays: { bytes: json.arrays.bytes, file } });
      await expect(readManifest(elsewhere, 'x')).rejects.toThrow(/the name of a file beside it/);
    },
  );

  it('with fewer bytes of arrays than it says is refused', async () => {
    const json = JSON.parse(text) as { arrays: { data: string } };
    json.arrays.data = json.arrays.data.slice(0, 400);
    await expect(readManifest(JSON.stringify(json), 'x')).rejects.toThrow(
      /expected arrays: \d+ bytes, found 300/,
    );
  });

  it('with unknown fields is refused, so that nothing is lost silently', async () => {
    await expect(readManifest(text.replace('{', '{"extra":1,'), 'x')).rejects.toThrow(UserError);
  });

  it(`damaged in ${FUZZ_ROUNDS} ways is read or refused with a UserError, never anything else`, async () => {
    const random = seededRandom(1);
    let refused = 0;
    for (let i = 0; i < FUZZ_ROUNDS; i++) {
      const whole = i % 4 < 2 ? text : version1;
      const damaged = i % 2 === 0 ? mutate(whole, random) : withMutatedValue(whole, random);
      try {
        await readManifest(damaged, 'fuzz');
      } catch (error) {
        if (!(error instanceof UserError)) throw new Error(`round ${i}: ${String(error)}`, { cause: error });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(FUZZ_ROUNDS / 4);
  });
});

describe('slices of a trace', () => {
  const needs = { kind: 'attention', picture: 'image-1', layer: 0, heads: 1 } as const;

  it('with attention that cannot be are refused when they are read', async () => {
    const run = smallRun();
    run.trace.latents[2]!.attention = await altered(run, run.trace.latents[2]!.attention, (values) => {
      values[values.length / 4 + 5] = 7;
    });
    await expect(run.maps.load(needs)).rejects.toThrow(/expected attention from 0 to 1, found 7/);
  });

  it('whose bytes were changed are told as damaged', async () => {
    const run = smallRun();
    const { offset } = run.trace.latents[0]!.vector;
    const bytes = await run.container.read(offset, 1);
    bytes[0]! ^= 1;
    const cosines = { family: { of: 'cosines', count: 4 }, from: 0, to: 1 } as const;
    await expect(run.reader.read(cosines)).rejects.toThrow(/arrays of this trace are damaged.*sha256/);
  });

  it('of a run that failed over a missing number open, with its error', async () => {
    const run = smallRun('failed');
    run.trace.failure = 'The logits are not finite numbers.';
    const latent = run.trace.latents.at(-1)!;
    latent.attention = await altered(run, latent.attention, (values) => values.fill(NaN));
    run.trace.arrays.bytes = latent.attention.offset + latent.attention.shape.reduce((a, b) => a * b, 2);
    const read = await reopened(run);
    expect(read.trace).toEqual(run.trace);
    await read.maps.load(needs);
    expect(read.maps.map(read.trace.latents.at(-1)!, needs)!.values.every(Number.isNaN)).toBe(true);
  });
});

describe('a trace of version 2', () => {
  it('opens as the same run: only the kind of its latents had another name', async () => {
    const { trace } = smallRun();
    const text = writeManifest(trace, { file: 'x.ilvr.bin' });
    const old = text
      .replace('"version":3', '"version":2')
      .replaceAll('"kind":"latent"', '"kind":"latent-pad"');
    expect(old).not.toBe(text);
    expect((await readManifest(old, 'old')).trace).toEqual((await readManifest(text, 'new')).trace);
  });
});

describe('a trace of version 1', () => {
  it('opens as the run that it was, its attention in half precision', async () => {
    const { trace, container } = await fromFile(version1);
    const now = smallRun();
    const { latents, tokens, pictures, arrays: _, ...rest } = now.trace;
    expect(trace).toMatchObject(rest);
    expect(trace.pictures.map(({ id, grid }) => [id, grid])).toEqual(
      pictures.map(({ id, grid }) => [id, grid]),
    );
    for (const [i, latent] of latents.entries()) {
      for (const part of ['vector', 'attention', 'mean'] as const) {
        const found = await readArray(container, trace.latents[i]![part]);
        expect(found, `${part} of latent ${i}`).toEqual(await readArray(now.container, latent[part]));
      }
    }
    for (const [i, token] of tokens.entries()) {
      expect(trace.tokens[i]!.looks).toEqual(token.looks);
      expect(trace.tokens[i]!.attention?.sha256).toBe(token.attention?.sha256);
    }
    expect(await readArray(container, trace.pictures[0]!.png)).toEqual(
      await readArray(now.container, pictures[0]!.png),
    );
  });

  it.each([NaN, 7])('with attention of %d is refused where it is', async (value) => {
    const json = JSON.parse(version1) as { latents: { attention: { data: string } }[] };
    const bytes = Buffer.from(json.latents[2]!.attention.data, 'base64');
    bytes.writeFloatLE(value, 4);
    json.latents[2]!.attention.data = bytes.toString('base64');
    await expect(readManifest(JSON.stringify(json), 'odd')).rejects.toThrow(
      /expected attention from 0 to 1, found .*number 2 of .*in odd, latent 3/,
    );
  });

  it('says what each query looked at, which sums to 1', async () => {
    const { trace } = await fromFile(version1);
    for (const token of trace.tokens) {
      const look = lookAt(token, 0);
      if (look === undefined) continue;
      const { pictures, prompt, latents, answer } = look.mass;
      expect(pictures + prompt + latents + answer).toBeCloseTo(1, 4);
    }
    expect(trace.tokens.filter(({ looks }) => looks).length).toBe(
      smallTrace().tokens.filter(({ looks }) => looks).length,
    );
  });
});

function withMutatedValue(whole: string, random: ReturnType<typeof seededRandom>): string {
  const json: unknown = JSON.parse(whole);
  mutateValue(json, random);
  return JSON.stringify(json);
}
