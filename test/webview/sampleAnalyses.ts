/** Results of analyses with invented numbers, of the right form for a trace. */

import type { AnalysisResult, PanelAnalysis } from '../../src/analysis/table.ts';
import type { NumericArray } from '../../src/tensor/array.ts';
import type { Trace } from '../../src/trace/schema.ts';

const WORDS = ['right', ' down', 'goal', ' ice', '<|latent_end|>', ' the', '\n', 'up', ' left', ' path'];

/** Numbers from 0 to 1 that look like some. */
function numbersOf(shape: number[], seed: number, value = (x: number) => x): NumericArray {
  const length = shape.reduce((product, size) => product * size, 1);
  const wave = (i: number): number => (Math.sin(i * 12.9898 + seed * 78.233) * 43758.5453) % 1;
  return { shape, data: Float32Array.from({ length }, (_, i) => value(Math.abs(wave(i)))) };
}

type Variants = AnalysisResult<'causality'>;
type Draws = (count: number, size: number) => Pick<Variants['variants'][number], 'forced' | 'free'>;

/** Variants of a run whose second draw writes another word. */
function variants({ tokens, blocks }: Trace, of: (draws: Draws) => Variants['variants']): Variants {
  const after = tokens.flatMap(({ kind, text }, token) =>
    kind === 'text' && token > 9 ? [{ token, text }] : [],
  );
  const own = after.map(({ text }) => text);
  const draws = (count: number, size: number) => ({
    forced: {
      kl: numbersOf([count, after.length], 16 + size, (x) => size * x ** 6),
      change: numbersOf([count, after.length], 17 + size, (x) => -size * x ** 6),
    },
    free: Array.from({ length: count }, (_, draw) =>
      draw === 1
        ? {
            words: [...own.slice(0, 4), ' down', ...own.slice(5)],
            difference: 4,
            answer: 'D',
            right: false,
            blocks: 1,
          }
        : { words: own, answer: 'RRD', right: true, blocks: blocks.length },
    ),
  });
  return {
    words: after,
    answer: [after.length - 2],
    own: { words: own, answer: 'RRD', right: true, blocks: blocks.length },
    variants: of(draws),
  };
}

const RESULTS: { [Name in PanelAnalysis]: (trace: Trace) => AnalysisResult<Name> } = {
  attention: ({ model, tokens, prompt }) => ({
    rows: [tokens.length - 4, tokens.length - 3].map((token) => {
      const keys = prompt.ids.length + token + 1;
      const shape = [model.layers, model.heads, keys];
      return { token, attention: numbersOf(shape, token, (x) => (2 * x) / keys) };
    }),
  }),
  causality: (trace) =>
    variants(trace, (draws) => [
      { kind: 'zero', ...draws(1, 0.2) },
      { kind: 'noise', ...draws(3, 2) },
      { kind: 'mean', ...draws(1, 0.01) },
      { kind: 'swap', missing: 'no-other-run', free: [] },
      { kind: 'shuffle', ...draws(3, 0.02) },
      { kind: 'dummy', ...draws(1, 0.3) },
      { kind: 'markers', ...draws(1, 0.4) },
    ]),
  decomposition: (trace) =>
    variants(trace, (draws) => [
      { kind: 'dummy', ...draws(1, 0.002) },
      { kind: 'markers', ...draws(1, 0.4) },
      { kind: 'none', ...draws(1, 3) },
    ]),
  dependence: ({ latents }) => {
    const alike = (count: number, seed: number) => ({
      cosines: numbersOf([count], seed, (x) => 1 - x / 5),
      distances: numbersOf([count], seed + 1, (x) => x / 2),
    });
    return {
      changes: [
        ...(['blurred', 'grey', 'masked'] as const).map((change, i) => ({
          change,
          picture: alike(36, 20 + i),
          latents: alike(latents.length, 30 + i),
          words: alike(20, 40 + i),
          question: alike(9, 50 + i),
          whole: { kl: 0.12 * i, answer: -0.3 * i },
          through: { kl: 0.002 * i, answer: -0.01 * i },
        })),
        { change: 'replaced' as const, missing: 'no-other-run' as const },
      ],
    };
  },
  faithfulness: ({ latents }) => {
    const [points, orders] = [6, 8];
    const falling = (seed: number, by: number) =>
      numbersOf([points + 1], seed, (x) => x / 20).data.map(
        (x, i) => 1 - (by * i) / points - x * (i % points),
      );
    const line = (data: Float32Array): NumericArray => ({ shape: [points + 1], data });
    const curves = (seed: number, scale: number) => ({
      deletion: line(falling(seed, 0.6).map((x, i) => scale * (x - (i > 0 && i < points ? 0.2 : 0)))),
      insertion: line(
        falling(seed + 1, 0.6)
          .toReversed()
          .map((x) => scale * x),
      ),
      sinkDeletion: line(falling(seed + 2, 0.6).map((x) => scale * x)),
      sinkInsertion: line(
        falling(seed + 3, 0.6)
          .toReversed()
          .map((x) => scale * x),
      ),
      random: {
        shape: [orders, points + 1],
        data: Float32Array.from(
          Array.from({ length: orders }, (_, i) =>
            [...falling(seed + 4 + i, 0.6)].map((x) => scale * x),
          ).flat(),
        ),
      },
    });
    return {
      layer: 2,
      fractions: line(Float32Array.from({ length: points + 1 }, (_, i) => i / points)),
      latents: latents.slice(0, 4).map((_, latent) => ({
        latent,
        state: curves(60 + latent, 1),
        answer: curves(80 + latent, 0.01),
      })),
    };
  },
  lens: ({ latents, model, pictures }) => {
    const rows = model.layers + 1;
    return {
      words: {
        ids: numbersOf([latents.length, rows, WORDS.length], 1, (x) => Math.floor(x * WORDS.length)),
        probabilities: numbersOf([latents.length, rows, WORDS.length], 2, (x) => x / 8),
        texts: Object.fromEntries(WORDS.map((word, i) => [i, word])),
      },
      patches: inputsOf(pictures).map(({ id, grid }) => ({
        picture: id,
        cosines: numbersOf([latents.length, rows, grid.rows * grid.columns], 3),
      })),
    };
  },
  pca: ({ latents, pictures }) => ({
    explained: [0.412, 0.187, 0.061],
    latents: numbersOf([latents.length, 3], 4, (x) => x - 0.2),
    pictures: inputsOf(pictures).map(({ id, grid }) => ({
      picture: id,
      points: numbersOf([grid.rows * grid.columns, 3], 5, (x) => x - 1),
    })),
    words: { ids: WORDS.map((_, i) => i), texts: WORDS, points: numbersOf([WORDS.length, 3], 6) },
    lengths: { latents: 12, pictures: 9, words: 1 },
  }),
  relevance: ({ prompt, tokens, latents, model }) => {
    const length = prompt.ids.length + tokens.length - 2;
    const signed = (x: number): number => (x - 0.45) / 50;
    return {
      answer: { tokens: [tokens.length - 3], text: 'RRD', logProbability: -0.0213 },
      rollout: {
        answer: numbersOf([length], 7, (x) => (2 * x ** 3) / length),
        followed: numbersOf([length], 8, (x) => x / length),
        latents: numbersOf([latents.length, length], 9, (x) => x / length),
      },
      gradient: {
        keys: numbersOf([model.layers, length], 10, signed),
        latents: numbersOf([model.layers, latents.length, length], 11, signed),
        input: numbersOf([length], 12, signed),
        relevance: numbersOf([length], 13),
      },
    };
  },
  similarity: ({ latents, blocks }) => ({
    cosines: numbersOf([latents.length, latents.length], 14),
    blocks: blocks.map(({ index, latents: count }) => ({ block: index, latents: count, collapsed: false })),
    other: {
      cosines: numbersOf([latents.length, latents.length + 4], 15),
      samePlace: 0.912,
      otherPlaces: 0.874,
    },
  }),
};

/** A result of that analysis for the trace. */
export function sampleResult<Name extends PanelAnalysis>(trace: Trace, method: Name): AnalysisResult<Name> {
  return RESULTS[method](trace);
}

function inputsOf(pictures: Trace['pictures']): Trace['pictures'] {
  return pictures.filter(({ range }) => range !== undefined);
}
