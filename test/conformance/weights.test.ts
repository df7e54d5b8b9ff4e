/** What weights of few bits change: the measures themselves, and the bundled model in each format. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { compareWeights, type WeightsComparison } from '../../src/conformance/weights/compare.ts';
import { divergence, relativeError, totalVariation } from '../../src/conformance/weights/measures.ts';
import { Model } from '../../src/inference/model.ts';
import type { WeightFormat } from '../../src/tensor/weightFormat.ts';
import { openingOf } from '../../src/trace/opening.ts';
import { bundledModel, exampleImage } from '../fixtures/paths.ts';
import { completeRun } from '../fixtures/reasonRun.ts';
import { scratchFolder } from '../fixtures/scratch.ts';

const checkpoint = await openCheckpoint(bundledModel);

async function compared(format: WeightFormat): Promise<WeightsComparison> {
  const images = [{ name: 'map', bytes: readFileSync(exampleImage) }];
  const question = { question: checkpoint.question!, images, latents: 'forced', maxTokens: 60 } as const;
  return compareWeights(checkpoint, format, question, { folder: await scratchFolder() });
}

describe('the measures', () => {
  it('KL of two words, by its definition', () => {
    const p = [0.5, 0.3, 0.2];
    const q = [0.25, 0.25, 0.5];
    const logits = (shares: number[]): Float32Array =>
      Float32Array.from(shares, (share) => Math.log(share) + 3);
    const expected = p.reduce((sum, share, i) => sum + share * Math.log(share / q[i]!), 0);
    expect(divergence(logits(p), logits(q))).toBeCloseTo(expected, 6);
    expect(divergence(logits(p), logits(p))).toBe(0);
    // A word that has no chance at all in the one.
    expect(divergence(Float32Array.of(0, -Infinity), Float32Array.of(0, 0))).toBeCloseTo(Math.log(2), 6);
  });

  it('total variation and relative error of known vectors', () => {
    expect(totalVariation([1, 0, 0], [0, 0, 1])).toBe(1);
    expect(totalVariation([0.5, 0.5], [0.5, 0.5])).toBe(0);
    expect(relativeError([[Float32Array.of(3, 4), Float32Array.of(3, 4.5)]])).toBeCloseTo(0.1, 6);
  });
});

describe('the bundled model', () => {
  it('in float32 differs from itself nowhere, and its maps are those of its trace', async () => {
    const found = await compared('float32');
    expect(found.answers.same).toBe(true);
    expect([found.features, found.fed]).toEqual([0, 0]);
    expect(found.layers.map(({ hidden, attentionMost }) => [hidden, attentionMost])).toEqual(
      Array.from({ length: checkpoint.config.text.layers }, () => [0, 0]),
    );
    expect(found.words.every(({ divergence: kl, sameChoice }) => kl === 0 && sameChoice)).toBe(true);

    const model = await Model.open(checkpoint, 'cpu');
    const { trace, maps } = await completeRun(model);
    await model.release();
    const layer = openingOf(trace).layer();
    expect(found.mapLayer).toBe(layer + 1);
    expect(found.latents.map(({ index }) => index)).toEqual(trace.latents.map(({ token }) => token));
    const selector = { kind: 'attention', picture: 'input-1', layer, heads: 'mean' } as const;
    await maps.load(selector);
    trace.latents.forEach((latent, i) => {
      const { values } = maps.map(latent, selector)!;
      const { mass, peak, moved } = found.latents[i]!.maps[0]!;
      expect(mass[0]).toBeCloseTo(
        values.reduce((sum, value) => sum + value, 0),
        4,
      );
      expect(values[(peak[0].row - 1) * 6 + peak[0].column - 1]).toBe(Math.max(...values));
      expect(moved).toBe(0);
    });
  });

  it('in 8 bits gives the same answer with small errors everywhere, in 4 bits with larger ones', async () => {
    const [eight, four] = [await compared('8bit'), await compared('4bit')];
    expect(eight.answers.same).toBe(true);
    // As measured: 1.3 to 1.7 % of the states, 0.7 to 1.8 % of attention, 5e-5 nats.
    for (const { hidden, attention } of eight.layers) {
      expect(hidden).toBeGreaterThan(0.005);
      expect(hidden).toBeLessThan(0.03);
      expect(attention).toBeLessThan(0.03);
    }
    expect(Math.max(...eight.words.map(({ divergence: kl }) => kl))).toBeLessThan(1e-3);
    expect(eight.latents).toHaveLength(16);
    for (const [i, { hidden, attention }] of four.layers.entries()) {
      expect(hidden).toBeGreaterThan(2 * eight.layers[i]!.hidden);
      expect(attention).toBeGreaterThan(eight.layers[i]!.attention);
    }
    // Of 4 bits, tower and head have 8.
    expect(four.features).toBe(eight.features);
    const moved = ({ latents }: WeightsComparison): number =>
      latents.reduce((sum, { maps }) => sum + maps[0]!.moved, 0) / latents.length;
    expect(moved(eight)).toBeLessThan(0.02);
    expect(moved(four)).toBeGreaterThan(moved(eight));
  });
});
