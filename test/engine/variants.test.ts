/** A question and variants of it, by the bundled model: together they are what they are one by one. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Model } from '../../src/inference/model.ts';
import type { LatentIntervention } from '../../src/protocol/engine.ts';
import { inFormat } from '../../src/quantise/inFormat.ts';
import { readArray } from '../../src/trace/arrays.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { bundledModel } from '../fixtures/paths.ts';
import { completeRun, reasonTogether } from '../fixtures/reasonRun.ts';

const INTERVENTIONS: (LatentIntervention | undefined)[] = [
  undefined,
  { kind: 'zero' },
  { kind: 'noise', sample: 4 },
  { kind: 'markers' },
];
/** Of vectors and probabilities; attention is stored in half precision. */
const ROUNDING = { vector: 1e-5, attention: 1e-3, probability: 1e-6 };

describe.each(['float32', '8bit'] as const)('variants of one question, %s weights', (format) => {
  const open: Model[] = [];
  let together: OpenTrace[];
  let alone: OpenTrace[];

  beforeAll(async () => {
    const model = await modelIn(format);
    together = await reasonTogether(model, {}, INTERVENTIONS);
    alone = await oneByOne(model);
  });
  afterAll(async () => {
    for (const model of open) await model.release();
  });

  async function modelIn(weights: typeof format): Promise<Model> {
    const checkpoint = await openCheckpoint(bundledModel);
    const model = await Model.open(await inFormat(checkpoint, weights, { folder: temporaryFolder() }), 'cpu');
    open.push(model);
    return model;
  }

  it('say the same, in the same blocks, each until its own end', () => {
    for (const [i, { trace }] of together.entries()) {
      expect(trace.tokens.map(({ id }) => id)).toEqual(alone[i]!.trace.tokens.map(({ id }) => id));
      expect(trace.blocks).toEqual(alone[i]!.trace.blocks);
      expect(trace.status).toBe('complete');
      expect(trace.settings.intervention).toBe(INTERVENTIONS[i]?.kind);
    }
    // Else the end of one among others was never seen.
    expect(new Set(together.map(({ trace }) => trace.tokens.length)).size).toBeGreaterThan(1);
  });

  it('have the same latents, attention and probabilities', async () => {
    const found = await differences(together, alone);
    // Numbers are rounded to 8 bits between layers, which makes the last bit of a sum a larger step now and then.
    const allowed =
      format === 'float32' ? ROUNDING : await differences(alone, await oneByOne(await modelIn('float32')));
    for (const part of ['vector', 'attention', 'probability'] as const)
      expect(found[part], part).toBeLessThan(allowed[part]);
  });

  it('say that their time is shared', () => {
    for (const { trace } of together)
      expect(trace.timings.map(({ name }) => name)).toContain('generate, of 4 runs together');
  });
});

async function oneByOne(model: Model): Promise<OpenTrace[]> {
  const runs: OpenTrace[] = [];
  for (const intervention of INTERVENTIONS)
    runs.push(await completeRun(model, intervention && { intervention }));
  return runs;
}

/** The largest of each part. */
async function differences(found: readonly OpenTrace[], expected: readonly OpenTrace[]) {
  const largest = { vector: 0, attention: 0, probability: 0 };
  for (const [i, { trace, container }] of found.entries()) {
    const own = expected[i]!;
    for (const [j, latent] of trace.latents.entries()) {
      for (const part of ['vector', 'attention'] as const) {
        const a = await readArray(container, latent[part]);
        const b = await readArray(own.container, own.trace.latents[j]![part]);
        expect(a.shape).toEqual(b.shape);
        largest[part] = Math.max(largest[part], distance(a.data, b.data));
      }
    }
    trace.tokens.forEach(({ probability = 0 }, j) => {
      const other = own.trace.tokens[j]!.probability ?? 0;
      largest.probability = Math.max(largest.probability, Math.abs(probability - other));
    });
  }
  return largest;
}

function distance(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}
