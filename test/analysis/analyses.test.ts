/** The analyses as a table, and those that need no model. */

import { describe, expect, it } from 'vitest';
import { analysis, isNumericArray, numbers } from '../../src/analysis/definition.ts';
import { nearestPatches } from '../../src/analysis/lensReading.ts';
import { computePca } from '../../src/analysis/pca.ts';
import { answerTokens } from '../../src/analysis/answer.ts';
import type { AnalysedLatent, AnalysedRun, AnalysedToken } from '../../src/analysis/run.ts';
import { TRACE_RUNNERS } from '../../src/analysis/runners.ts';
import { computeSimilarity } from '../../src/analysis/similarity.ts';
import { ANALYSES, ANALYSIS_NAMES, isAnalysisName, parametersOf } from '../../src/analysis/table.ts';
import type { NumericArray } from '../../src/tensor/array.ts';

const array = (shape: number[], values: number[]): NumericArray => ({
  shape,
  data: Float32Array.from(values),
});

describe('the table', () => {
  it.each(ANALYSIS_NAMES)(
    '%s runs without a parameter being given, and refuses one that it does not know',
    (name) => {
      expect(ANALYSES[name].parameters.safeParse({}).success).toBe(true);
      expect(ANALYSES[name].parameters.safeParse({ unheard: 1 }).success).toBe(false);
      expect(ANALYSES[name].limits.length).toBeGreaterThan(20);
    },
  );

  it('does not compile with a row that lacks a part, or a name without a runner', () => {
    const { tab: _, ...withoutTab } = ANALYSES.similarity;
    const { result: __, ...withoutResult } = ANALYSES.similarity;
    // @ts-expect-error a row has a tab
    expect(analysis(withoutTab)).not.toHaveProperty('tab');
    // @ts-expect-error a row has a schema of its result
    expect(analysis(withoutResult)).not.toHaveProperty('result');
    // @ts-expect-error similarity has no runner here
    const runners: typeof TRACE_RUNNERS = {};
    expect(Object.keys(TRACE_RUNNERS)).not.toEqual(Object.keys(runners));
  });

  it('knows its names, and nothing that every object has', () => {
    expect(isAnalysisName('lens')).toBe(true);
    expect(isAnalysisName('toString')).toBe(false);
  });

  it('tells arrays from anything else, and by their axes', () => {
    expect(isNumericArray(array([1], [2]))).toBe(true);
    expect(isNumericArray({ shape: [1], data: [2] })).toBe(false);
    expect(numbers(2).safeParse(array([1], [2])).success).toBe(false);
  });
});

function runOf(latents: AnalysedLatent[]): AnalysedRun {
  return { promptIds: [], tokens: [], blocks: [], latents, pictures: [] };
}
const latent = (block: number, index: number, ...vector: number[]): AnalysedLatent => ({
  block,
  index,
  token: 0,
  vector: Float32Array.from(vector),
});

describe('similarity of latents', () => {
  const run = runOf([latent(0, 0, 1, 0), latent(0, 1, 1, 0.1), latent(1, 0, 0, 2), latent(1, 1, 3, 0)]);

  it('compares each with each, whatever their lengths', () => {
    const { cosines } = computeSimilarity([run], { collapse: 0.95 });
    expect(cosines.shape).toEqual([4, 4]);
    [0, 5, 10, 15].forEach((i) => expect(cosines.data[i]).toBeCloseTo(1, 6));
    expect([cosines.data[2], cosines.data[3]]).toEqual([0, 1]);
  });

  it('says which block has collapsed, from the threshold on', () => {
    const mean = 1 / Math.hypot(1, 0.1);
    const { blocks } = computeSimilarity([run], { collapse: 0.95 });
    expect(blocks.map(({ collapsed }) => collapsed)).toEqual([true, false]);
    expect(blocks[0]).toMatchObject({ block: 0, latents: 2, within: expect.closeTo(mean, 6) });
    expect(blocks[1]!.within).toBeCloseTo(0, 6);
    expect(computeSimilarity([run], { collapse: 0.999 }).blocks[0]!.collapsed).toBe(false);
  });

  it('of a block with one latent, or of zeros, says nothing that it cannot know', () => {
    const { blocks, cosines } = computeSimilarity([runOf([latent(0, 0, 0, 0)])], { collapse: 0.95 });
    expect(blocks).toEqual([{ block: 0, latents: 1, collapsed: false }]);
    expect([...cosines.data]).toEqual([0]);
    // Latents of zeros have no direction, so that two of them are neither alike nor not.
    const zeros = computeSimilarity([runOf([latent(0, 0, 0, 0), latent(0, 1, 0, 0)])], { collapse: 0.95 });
    expect(zeros.blocks[0]!.within).toBeUndefined();
    expect(computeSimilarity([runOf([])], { collapse: 0.95 }).blocks).toEqual([]);
  });

  it('with another run compares the same places apart from all others', () => {
    const other = runOf([latent(0, 0, 0, 1), latent(0, 1, 1, 0.1), latent(0, 2, 1, 0)]);
    const result = computeSimilarity([run, other], { collapse: 0.95 }).other!;
    expect(result.cosines.shape).toEqual([4, 3]);
    expect(result.samePlace).toBeCloseTo((0 + 1) / 2, 6);
    expect(result.otherPlaces).toBeGreaterThan(0.3);
  });
});

describe('PCA of vectors', () => {
  const input = {
    latents: array([3, 2], [0, 1, 0, 2, 0, 3]),
    pictures: [{ picture: 'image-1', features: array([2, 2], [10, 0, -10, 0]) }],
    words: { ids: [7], texts: ['seven'], embeddings: array([1, 2], [0, 2]) },
  };

  it('finds the direction in which most points differ, and keeps the order of the latents', async () => {
    const { explained, pictures, latents } = await computePca(input, {
      components: 3,
      scale: 'raw',
      fit: 'all',
    });
    expect(explained).toHaveLength(2);
    expect(explained[0]! + explained[1]!).toBeCloseTo(1, 9);
    expect(explained[0]).toBeGreaterThan(0.9);
    const [first, second] = [pictures[0]!.points.data[0]!, pictures[0]!.points.data[2]!];
    expect(first - second).toBeCloseTo(20, 5);
    expect(latents.shape).toEqual([3, 2]);
  });

  it('of the latents alone shows the others in their directions', async () => {
    const { explained, latents, words } = await computePca(input, {
      components: 3,
      scale: 'raw',
      fit: 'latents',
    });
    expect(explained).toEqual([expect.closeTo(1, 9)]);
    [-1, 0, 1].forEach((value, i) => expect(latents.data[i]).toBeCloseTo(value, 6));
    expect(words.points.data[0]).toBeCloseTo(0, 6);
  });

  it('scaled to one length does not show lengths, and says what they were', async () => {
    const { latents, lengths } = await computePca(input, { components: 3, scale: 'unit', fit: 'all' });
    expect(latents.data[0]).toBeCloseTo(latents.data[2]!, 6);
    expect(lengths).toEqual({ latents: 2, pictures: 10, words: 2 });
  });
});

it('the nearest patches are those with the largest cosines, in order', () => {
  const cosines = array([2, 2, 3], [0, 0, 0, 0.1, 0.3, 0.2, 0, 0, 0, -1, 0.5, 0.5]);
  expect(nearestPatches(cosines, 0, 1, 2).map(({ token }) => token)).toEqual([1, 2]);
  expect(nearestPatches(cosines, 1, 1, 3)).toEqual([
    { token: 1, cosine: 0.5 },
    { token: 2, cosine: 0.5 },
    { token: 0, cosine: -1 },
  ]);
});

describe('the tokens of the answer', () => {
  const words = (...texts: string[]): AnalysedToken[] => texts.map((text) => ({ id: 0, text, kind: 'text' }));
  const pad: AnalysedToken = { id: 1, text: '', kind: 'latent' };
  const end: AnalysedToken = { id: 2, text: '', kind: 'end' };

  it.each<[string, AnalysedToken[], number[]]>([
    [
      'are those in the last box',
      [...words('\\boxed{', 'X', '} or \\box', 'ed{', 'R', 'D}', '.'), end],
      [4, 5],
    ],
    ['with braces of its own', words('\\boxed{', 'a{b}', 'c', '}'), [1, 2]],
    ['are the words after the last block', [...words('first'), pad, ...words('go', ' left'), end], [2, 3]],
    ['are all words where none comes after', [...words('a', 'b'), pad], [0, 1]],
    ['are none without words', [pad], []],
    ['of a box that is cut off, are the last words', words('see ', '\\boxed{R'), [0, 1]],
  ])('%s', (_, tokens, expected) => {
    expect(answerTokens({ tokens })).toEqual(expected);
  });
});

it('a truth that holds nothing is refused: no answer is right by it', () => {
  expect(() => parametersOf('causality', { truth: {} })).toThrow(/expected truth to be a map or an answer/);
  expect(parametersOf('causality', { truth: { answer: 'LU' } }).truth).toEqual({ answer: 'LU' });
});
