/** Analyses of runs by the model that made them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lensWords } from '../../src/analysis/lensReading.ts';
import type { AnalysisName, AnalysisResult } from '../../src/analysis/table.ts';
import { CancelledError } from '../../src/base/errors.ts';
import { analyseRequest } from '../../src/client/analyseRequest.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { largestDifference } from '../../src/conformance/check.ts';
import { analyse } from '../../src/engine/analyse.ts';
import { divergences } from '../../src/engine/analyses/divergence.ts';
import { largest } from '../../src/engine/analyses/lens.ts';
import { Model } from '../../src/inference/model.ts';
import type { AnalyseRequest, AnalysisOutcome } from '../../src/protocol/analyse.ts';
import { readArray } from '../../src/trace/arrays.ts';
import { meanOfHeads } from '../../src/trace/queries.ts';
import type { Trace } from '../../src/trace/schema.ts';
import { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { statedAnswer } from '../../src/trace/answer.ts';
import { inFormat } from '../../src/quantise/inFormat.ts';
import { dot, lengthOf } from '../../src/tensor/array.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { examples, referenceAnswers, repository } from '../fixtures/paths.ts';
import { completeRun, type reasonRun } from '../fixtures/reasonRun.ts';

/** Attention is stored in half precision. */
const HALF = 1e-3;
const HELPER = join(examples, 'map-01-helper-1.png');

async function open(name: string): Promise<Model> {
  return Model.open(await openCheckpoint(join(repository, 'models', name)), 'cpu');
}

async function runOf(model: Model, request: Parameters<typeof reasonRun>[1] = {}): Promise<OpenTrace> {
  return completeRun(model, { maxTokens: 200, ...request });
}

/** What a reader of the trace asks the engine. */
async function requestFor<Name extends AnalysisName>(
  name: Name,
  { trace, container }: Pick<OpenTrace, 'trace' | 'container'>,
  parameters: Record<string, unknown> = {},
): Promise<AnalyseRequest & { name: Name }> {
  return analyseRequest(trace, container, { name, parameters });
}

interface Watched {
  found?: (result: AnalysisResult<AnalysisName>) => void;
  pause?: () => Promise<void>;
}

async function run<Name extends AnalysisName>(
  model: Model,
  request: AnalyseRequest & { name: Name },
  { found = () => undefined, pause = async () => undefined }: Watched = {},
): Promise<AnalysisOutcome<Name>> {
  const { fingerprint } = model.checkpoint;
  const context = { model, identity: { name: 'it', fingerprint }, found, progress: () => undefined, pause };
  return analyse(context, request);
}

describe('of the bundled model', () => {
  let model: Model;
  let made: OpenTrace;
  let trace: Trace;

  beforeAll(async () => {
    model = await open('maze');
    made = await runOf(model, { helpers: [{ name: 'helper', bytes: readFileSync(HELPER) }] });
    ({ trace } = made);
  });
  afterAll(() => model?.release());

  async function resultOf<Name extends AnalysisName>(
    name: Name,
    parameters: Record<string, unknown> = {},
  ): Promise<AnalysisResult<Name>> {
    const { status, result } = await run(model, await requestFor(name, made, parameters));
    expect(status).toBe('complete');
    return result!;
  }

  it('the run has several blocks, or the claims below say little', () => {
    expect(trace.blocks.length).toBeGreaterThan(1);
    expect(trace.latents).toHaveLength(trace.blocks.length * 8);
  });

  describe('the divergence', () => {
    it('is that of the two distributions', () => {
      const found = divergences(Float32Array.of(0, Math.log(3)), Float32Array.of(5, 5), 1);
      expect(found.kl).toBeCloseTo(0.25 * Math.log(0.5) + 0.75 * Math.log(1.5), 6);
      expect(found.reverse).toBeCloseTo(0.5 * Math.log(2) + 0.5 * Math.log(2 / 3), 6);
      expect([found.logA, found.logB]).toEqual(
        [Math.log(0.75), Math.log(0.5)].map((x) => expect.closeTo(x, 6)),
      );
    });

    it('is nothing of a run to itself, and finds the probabilities that each run had', async () => {
      const own = await requestFor('divergence', made);
      await expect(run(model, own)).rejects.toThrow(/only one was given/);
      const question = (other: OpenTrace) =>
        analyseRequest(trace, made.container, { name: 'divergence', parameters: {}, other });
      const same = (await run(model, await question(made))).result!;
      expect(same.words.length).toBe(
        trace.tokens.filter(({ text, kind }) => text !== '' || kind === 'end').length,
      );
      expect(same.words.every(({ kl, reverse, a, b }) => kl === 0 && reverse === 0 && a === b)).toBe(true);
      const zeroed = await runOf(model, { intervention: { kind: 'zero' } });
      const { words } = (await run(model, await question(zeroed))).result!;
      expect(Math.max(...words.map(({ kl }) => kl))).toBeGreaterThan(0);
      for (const { a, b, logA, logB } of words) {
        expect(Math.exp(logA)).toBeCloseTo(trace.tokens[a]!.probability!, 4);
        expect(Math.exp(logB)).toBeCloseTo(zeroed.trace.tokens[b]!.probability!, 4);
      }
    });
  });

  describe('the lens', () => {
    it('says after the last layer what the next latent, which is that state, says when it is fed', async () => {
      const { words } = await resultOf('lens');
      const rows = model.checkpoint.config.text.layers + 1;
      expect(words!.ids.shape).toEqual([trace.latents.length, rows, 20]);
      const pairs = trace.latents.slice(1).filter(({ index }) => index > 0);
      expect(pairs.length).toBeGreaterThan(10);
      for (const [i, latent] of trace.latents.entries()) {
        if (latent.index === 0) continue;
        const before = lensWords(words!, i - 1, rows - 1);
        const fed = lensWords(words!, i, 0);
        expect(before[0]!.id).toBe(fed[0]!.id);
        before.forEach(({ probability }, k) => expect(probability).toBeCloseTo(fed[k]!.probability, 3));
      }
    });

    it('gives words with their texts, likeliest first, as shares of all words', async () => {
      const { words } = await resultOf('lens', { words: 5 });
      const some = lensWords(words!, 3, 2);
      expect(some).toHaveLength(5);
      some.forEach(({ id, text, probability }, k) => {
        expect(text).toBe(model.checkpoint.tokenizer.tokenText(id));
        expect(probability).toBeLessThanOrEqual(some[k - 1]?.probability ?? 1);
      });
    });

    it("of all words' shares, the sum is 1", async () => {
      const { vocabularySize } = model.checkpoint.config.text;
      const { words } = await resultOf('lens', { words: 100 });
      expect(vocabularySize).toBeGreaterThan(100);
      const sum = lensWords(words!, 0, 6).reduce((total, { probability }) => total + probability, 0);
      expect(sum).toBeGreaterThan(0.9);
      expect(sum).toBeLessThan(1.0001);
    });

    it('compares what was fed with the features as the run did, and leaves helpers that were not seen out', async () => {
      const { patches } = await resultOf('lens');
      expect(patches.map(({ picture }) => picture)).toEqual(['input-1']);
      const { shape, data } = patches[0]!.cosines;
      const [, rows = 0, tokens = 0] = shape;
      for (const [n, { comparisons }] of trace.latents.entries()) {
        const { similarity } = comparisons.find(({ picture }) => picture === 'input-1')!;
        const expected = await readArray(made.container, similarity);
        const own = data.subarray(n * rows * tokens, (n * rows + 1) * tokens);
        expect(largestDifference(own, expected.data)).toBeLessThan(1e-4);
      }
      expect(data.every((value) => value >= -1.001 && value <= 1.001)).toBe(true);
    });

    it('comes in parts', async () => {
      const parts: AnalysisResult<'lens'>[] = [];
      const request = await requestFor('lens', made);
      await run(model, request, { found: (part) => parts.push(part as AnalysisResult<'lens'>) });
      const done = parts.map(({ words }) => words!.ids.shape[0]);
      expect(done).toEqual(trace.blocks.map((_, i) => 8 * (i + 1)).concat(trace.latents.length));
    });
  });

  describe('PCA', () => {
    it('has all points, the helper pictures among them, and the same twice', async () => {
      const result = await resultOf('pca');
      const { explained, latents, pictures, words } = result;
      expect(explained).toHaveLength(3);
      expect(explained[0]!).toBeGreaterThanOrEqual(explained[1]!);
      expect(explained.reduce((sum, share) => sum + share, 0)).toBeLessThan(1);
      expect(latents.shape).toEqual([trace.latents.length, 3]);
      const sizes = trace.pictures.map(({ grid }) => [grid.rows * grid.columns, 3]);
      expect(pictures.map(({ points }) => points.shape)).toEqual(sizes);
      expect(words.points.shape).toEqual([words.ids.length, 3]);
      expect(new Set(words.ids).size).toBe(words.ids.length);
      expect(await resultOf('pca')).toEqual(result);
    });

    it('of the copy in the trace is that of the original, whatever format that had', async () => {
      const image = join(referenceAnswers, 'images', 'photo-110x80.jpg');
      const other = await runOf(model, { image, maxTokens: 4 });
      const request = await requestFor('pca', other);
      const kept = await run(model, request);
      const images = [{ ...request.images[0]!, bytes: readFileSync(image) }];
      expect(await run(model, { ...request, images })).toEqual(kept);
    });
  });

  describe('relevance', () => {
    it('explains the boxed answer, whose probability is what the run recorded', async () => {
      const { answer } = await resultOf('relevance');
      expect(answer.text.replace(/\W/g, '')).toContain(statedAnswer(trace)!);
      const logs = answer.tokens.map((token) => Math.log(trace.tokens[token]!.probability!));
      expect(answer.logProbability).toBeCloseTo(
        logs.reduce((sum, log) => sum + log, 0),
        4,
      );
    });

    it('rollout gives shares that sum to 1, of positions before alone', async () => {
      const { rollout } = await resultOf('relevance', { methods: ['rollout'] });
      const T = rollout!.answer.shape[0]!;
      const rows = [rollout!.answer.data, ...rowsOf(rollout!.latents.data, T)];
      for (const row of rows) expect(row.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4);
      trace.latents.forEach(({ position }, i) => {
        const row = rollout!.latents.data.subarray(i * T, (i + 1) * T);
        expect(row.subarray(position + 1).every((share) => share === 0)).toBe(true);
        expect(row[position]).toBeGreaterThan(0);
      });
    });

    it('gradient × attention of all keys holds that of the latents, and comes after rollout', async () => {
      const parts: AnalysisResult<'relevance'>[] = [];
      const request = await requestFor('relevance', made);
      const { result } = await run(model, request, {
        found: (part) => parts.push(part as AnalysisResult<'relevance'>),
      });
      expect(parts.map(({ rollout, gradient }) => [rollout !== undefined, gradient !== undefined])).toEqual([
        [true, false],
      ]);
      const { keys, latents, input, relevance } = result!.gradient!;
      const [layers = 0, T = 0] = keys.shape;
      expect(latents.shape).toEqual([layers, trace.latents.length, T]);
      expect([input.shape, relevance.shape]).toEqual([[T], [T]]);
      expect(relevance.data.every((value) => value >= 0)).toBe(true);
      expect(keys.data.some((value) => value < 0) && keys.data.some((value) => value > 0)).toBe(true);
    });

    it('of the odds does not fade where the model is certain', async () => {
      const size = async (objective: string): Promise<number> => {
        const { gradient, answer } = await resultOf('relevance', { methods: ['gradient'], objective });
        expect(answer.logProbability).toBeGreaterThan(-0.01);
        return lengthOf(gradient!.input.data);
      };
      expect(await size('log-odds')).toBeGreaterThan(100 * (await size('log-probability')));
    });

    it('of words that are chosen explains these, and refuses a range without any', async () => {
      const first = trace.tokens.findIndex(({ kind }) => kind === 'text');
      const { answer } = await resultOf('relevance', { tokens: [first, first], methods: ['rollout'] });
      expect(answer.tokens).toEqual([first]);
      const pad = trace.latents[0]!.token;
      await expect(resultOf('relevance', { tokens: [pad, pad] })).rejects.toThrow('no words to explain');
    });
  });

  describe('attention with all heads', () => {
    it('of latents is what the run recorded, and of words has the recorded mean', async () => {
      const word = trace.tokens.findIndex(({ attention }) => attention !== undefined);
      const latents = [trace.latents[3]!, trace.latents.at(-1)!];
      const tokens = [word, ...latents.map(({ token }) => token)];
      const { rows } = await resultOf('attention', { tokens });
      expect(rows.map(({ token }) => token)).toEqual(tokens);
      for (const latent of latents) {
        const { attention } = rows.find(({ token }) => token === latent.token)!;
        const recorded = await readArray(made.container, latent.attention);
        expect(attention.shape).toEqual(recorded.shape);
        expect(largestDifference(attention.data, recorded.data)).toBeLessThan(HALF);
      }
      // Of a word the trace keeps the mean of the heads over patches, then latents.
      const recorded = await readArray(made.container, trace.tokens[word]!.attention!);
      const mean = meanOfHeads(rows[0]!.attention);
      const [, keys = 0] = mean.shape;
      const [layers = 0, columns = 0] = recorded.shape;
      const { start, count } = trace.pictures[0]!.range!;
      for (let layer = 0; layer < layers; layer++) {
        const own = mean.data.subarray(layer * keys + start, layer * keys + start + count);
        const kept = recorded.data.subarray(layer * columns, layer * columns + count);
        expect(largestDifference(own, kept)).toBeLessThan(HALF);
      }
    });

    it('without a choice is that of the answer, and of a token that is not there is refused', async () => {
      const { rows } = await resultOf('attention');
      const { answer } = await resultOf('relevance', { methods: ['rollout'] });
      expect(rows.map(({ token }) => token)).toEqual(answer.tokens);
      await expect(resultOf('attention', { tokens: [9999] })).rejects.toThrow('no such token');
    });
  });

  it('similarity is that of the latents with themselves, and with another run', async () => {
    const request = await requestFor('similarity', made);
    const { result } = await run(model, { ...request, other: request.run });
    expect(result!.blocks.map(({ latents }) => latents)).toEqual(trace.blocks.map(() => 8));
    expect(result!.other!.samePlace).toBeCloseTo(1, 6);
  });

  it('after a cancel what was found stays, and says so', async () => {
    let words = 0;
    const cancelAfterWords = async (): Promise<void> => {
      if (words > 0) throw new CancelledError();
    };
    const watched = { found: () => words++, pause: cancelAfterWords };
    const { status, result } = await run(model, await requestFor('lens', made), watched);
    expect(status).toBe('cancelled');
    expect(result!.words!.ids.shape[0]).toBe(8);
    expect(result!.patches).toEqual([]);
    const atOnce = async (): Promise<void> => {
      throw new CancelledError();
    };
    expect(await run(model, await requestFor('pca', made), { pause: atOnce })).toEqual({
      status: 'cancelled',
    });
  });

  describe('refuses, and says why,', () => {
    it.each<[string, (request: AnalyseRequest) => Partial<AnalyseRequest>, RegExp]>([
      [
        'another model',
        ({ model: own }) => ({ model: { ...own, fingerprint: 'f'.repeat(64), name: 'theirs' } }),
        /needs the model that made the run: expected theirs \(fingerprint f{12}\), found it/,
      ],
      [
        'a reduced copy of a picture',
        ({ images }) => ({ images: images.map((image) => ({ ...image, width: 4000, height: 4000 })) }),
        /needs the picture itself: expected map of 4000 × 4000 pixels.*Give the original/,
      ],
      ['a missing picture', () => ({ images: [] }), /no copy of map/],
      [
        'another pixel budget',
        () => ({ maxPixels: 5000, minPixels: 100 }),
        /sees map otherwise than the run did/,
      ],
      [
        'latents that this model does not come to',
        ({ run: given }) => ({
          run: {
            ...given,
            latents: given.latents.map((latent) => ({ ...latent, vector: latent.vector.map((x) => x + 1) })),
          },
        }),
        /does not come to the latents that the run had.* at latent 1 of block 1/,
      ],
      [
        'latents of another width',
        ({ run: given }) => ({
          run: { ...given, latents: [{ ...given.latents[0]!, vector: new Float32Array(3) }] },
        }),
        /latents of 192 numbers, found 3/,
      ],
      [
        'tokens that it does not know',
        ({ run: given }) => ({ run: { ...given, promptIds: [9999] } }),
        /tokens below/,
      ],
      ['a parameter that it does not know', () => ({ parameters: { word: 3 } }), /some of words.*word/],
      [
        'a name that is none',
        () => ({ name: 'toString' as AnalysisName }),
        /no such analysis: found toString/,
      ],
    ])('%s', async (_, change, message) => {
      const request = await requestFor('lens', made);
      await expect(run(model, { ...request, ...change(request) })).rejects.toThrow(message);
    });
  });

  it('gradients of a model with packed weights are near those of its float32', async () => {
    const options = { folder: temporaryFolder() };
    const packed = await Model.open(await inFormat(model.checkpoint, '8bit', options), 'cpu');
    try {
      const own = await runOf(packed);
      const request = await requestFor('relevance', own, { methods: ['gradient'] });
      const [few, all] = [await run(packed, request), await run(model, request)].map(
        ({ result }) => result!.gradient!,
      );
      for (const part of ['input', 'keys'] as const) {
        const [a, b] = [few![part].data, all![part].data];
        expect(dot(a, 0, b, 0, a.length) / lengthOf(a) / lengthOf(b)).toBeGreaterThan(0.95);
        expect(a).not.toEqual(b);
      }
    } finally {
      await packed.release();
    }
  });

  it('a run whose latents were replaced is analysed as it was fed', async () => {
    const zeroed = await runOf(model, { intervention: { kind: 'zero' } });
    const { result } = await run(model, await requestFor('lens', zeroed, { words: 2 }));
    const { vocabularySize } = model.checkpoint.config.text;
    expect(lensWords(result!.words!, 0, 0)[0]!.probability).toBeCloseTo(1 / vocabularySize, 5);
  });

  it('a run that was cut off in a block is analysed as far as it came', async () => {
    const cut = structuredClone(trace);
    cut.latents.splice(11);
    const { result } = await run(
      model,
      await requestFor('lens', { trace: cut, container: made.container }, { words: 2 }),
    );
    expect(result!.words!.ids.shape[0]).toBe(11);
  });
});

describe('the control models show their masks, in both directions:', () => {
  /** Rollout of the answer: how much of it comes from the picture, and from latents. */
  async function shares(name: string) {
    const model = await open(name);
    try {
      const made = await runOf(model);
      const { trace } = made;
      const { result } = await run(model, await requestFor('relevance', made, { follow: true }));
      const { answer, followed } = result!.rollout!;
      const { start, count } = trace.pictures[0]!.range!;
      const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);
      const picture = sum(answer.data.subarray(start, start + count));
      const places = trace.latents.map(({ position }) => position);
      const latents = places.reduce((total, place) => total + (answer.data[place] ?? 0), 0);
      const seen = (values: Float32Array): number => sum(values.subarray(start, start + count).map(Math.abs));
      const { input, followed: through } = result!.gradient!;
      return {
        picture,
        latents,
        slope: seen(input.data),
        followed: { picture: seen(followed.data), slope: seen(through!.data), whole: sum(followed.data) },
      };
    } finally {
      await model.release();
    }
  }

  it('where only latents reach the answer, nothing comes from the picture but through them', async () => {
    const { picture, latents, slope, followed } = await shares('control-carrying');
    expect([picture, slope]).toEqual([0, 0]);
    expect(latents).toBeGreaterThan(0.05);
    expect(followed.whole).toBeCloseTo(1, 4);
    expect(followed.picture).toBeGreaterThan(0.01);
    expect(followed.slope).toBeGreaterThan(1e-4);
  });

  it('where latents are bypassed, nothing comes from them', async () => {
    const { picture, latents, slope, followed } = await shares('control-bypassed');
    expect(latents).toBe(0);
    expect(picture).toBeGreaterThan(0.05);
    expect(slope).toBeGreaterThan(0);
    expect(followed.picture).toBeCloseTo(picture, 6);
    expect(followed.slope).toBeCloseTo(slope, 6);
  });
});

it('the largest values come in order, and of equal ones the first', () => {
  expect(largest(Float32Array.from([1, 5, 5, -2, 7]), 3)).toEqual([4, 1, 2]);
  expect(largest(Float32Array.from([1, 2]), 5)).toEqual([1, 0]);
});

function rowsOf(data: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: data.length / width }, (_, i) => data.subarray(i * width, (i + 1) * width));
}
