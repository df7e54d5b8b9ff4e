/** Heads for latents against the formulas, written out. */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTensor } from '../../src/checkpoint/formats/safetensors.ts';
import { latentHeadGraph, LATENT_HEAD } from '../../src/model/latentHead.ts';
import { floats, floatTensor, openSession } from '../../src/ort/session.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { randomWeights } from '../fixtures/randomWeights.ts';

const [C, W] = [6, 9];

type Values = (name: string, shape: number[]) => Promise<Float32Array>;

/** W x + b */
async function linear(values: Values, name: string, x: readonly number[], rows: number): Promise<number[]> {
  const weight = await values(`${LATENT_HEAD}.${name}.weight`, [rows, x.length]);
  const bias = await values(`${LATENT_HEAD}.${name}.bias`, [rows]);
  return Array.from(bias, (b, r) => x.reduce((sum, value, c) => sum + weight[r * x.length + c]! * value, b));
}

/** Abramowitz and Stegun 7.1.26, good to 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const terms = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];
  const sum = terms.reduceRight((rest, term) => (rest + term) * t, 0);
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

const FORMULAS = {
  simple: async (values: Values, x: readonly number[]): Promise<number[]> => {
    const mean = x.reduce((sum, value) => sum + value / C, 0);
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2 / C, 0);
    const weight = await values(`${LATENT_HEAD}.ln_q.weight`, [C]);
    const bias = await values(`${LATENT_HEAD}.ln_q.bias`, [C]);
    const normed = x.map((value, c) => ((value - mean) / Math.sqrt(variance + 1e-6)) * weight[c]! + bias[c]!);
    const wide = await linear(values, 'mlp.0', normed, W);
    const gelu = wide.map((value) => 0.5 * value * (1 + erf(value / Math.SQRT2)));
    return linear(values, 'mlp.2', gelu, C);
  },
  glu: async (values: Values, x: readonly number[]): Promise<number[]> => {
    const [gate, up] = [await linear(values, 'gate_proj', x, W), await linear(values, 'up_proj', x, W)];
    const mixed = gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]!);
    return linear(values, 'down_proj', mixed, C);
  },
};

describe('a head for latents', () => {
  it.each(['simple', 'glu'] as const)('of kind %s is its formula', async (kind) => {
    const folder = temporaryFolder();
    const weights = randomWeights(join(folder, 'weights'), 1000);
    const graph = latentHeadGraph({ kind, width: W }, C, weights);
    const session = await openSession(graph, { provider: 'cpu', weightsFolder: folder });
    const x = Array.from({ length: C }, (_, i) => Math.sin(3 * i + 1));
    const { latents } = await session.run({ hidden: floatTensor(Float32Array.from(x), [1, C]) });
    await session.release();
    const values: Values = (name, shape) => readTensor(weights.get(name, shape));
    const expected = await FORMULAS[kind](values, x);
    floats(latents).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
  });
});
