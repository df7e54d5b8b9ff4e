/** Latents replaced and hidden, with the small real model: what is fed, and what the answer then depends on. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Model } from '../../src/inference/model.ts';
import type { LatentReach } from '../../src/model/latentReach.ts';
import type { LatentIntervention, ReasonRequest } from '../../src/protocol/engine.ts';
import { dot } from '../../src/tensor/array.ts';
import { readArray } from '../../src/trace/arrays.ts';
import { LOOKS } from '../../src/trace/looks.ts';
import type { Trace } from '../../src/trace/schema.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { changedModel } from '../fixtures/changedModel.ts';
import { exampleImage, examples } from '../fixtures/paths.ts';
import { completeRun } from '../fixtures/reasonRun.ts';
import { reopened } from '../fixtures/reopened.ts';

const OTHER_IMAGE = join(examples, 'map-02.png');
const K = 8;

const models = new Map<LatentReach | undefined, Model>();
/** A run, its arrays, and the vectors that were fed at its latents. */
interface Ran extends Trace {
  opened: OpenTrace;
  vectors: Float32Array[];
}

/** Own latents of both pictures, by the ordinary model. */
let own: Ran;
let other: Ran;

beforeAll(async () => {
  for (const reach of [undefined, 'only', 'none'] as const) models.set(reach, await open(reach));
  own = await run({});
  other = await run({ image: OTHER_IMAGE });
});
afterAll(async () => {
  for (const model of models.values()) await model.release();
});

/** The bundled model, with another latent reach. */
async function open(reach: LatentReach | undefined): Promise<Model> {
  const folder = await changedModel(reach === undefined ? {} : { config: { latent_reach: reach } });
  return Model.open(await openCheckpoint(folder), 'cpu');
}

interface Run extends Partial<ReasonRequest> {
  reach?: LatentReach;
  image?: string;
}

/** A run up to the first tokens after its first block. */
async function run({ reach, ...request }: Run): Promise<Ran> {
  const opened = await completeRun(models.get(reach)!, request);
  const { trace, container } = opened;
  const vectors = await Promise.all(trace.latents.map(({ vector }) => readArray(container, vector)));
  return { ...trace, opened, vectors: vectors.map(({ data }) => data) };
}

const vectors = (ran: Ran): Float32Array[] => ran.vectors;
const cosine = (a: Float32Array, b: Float32Array): number => dot(a, 0, b, 0, a.length) / (norm(a) * norm(b));
const norm = (vector: Float32Array): number => Math.hypot(...vector);

const REPLACED: (() => LatentIntervention)[] = [
  () => ({ kind: 'zero' }),
  () => ({ kind: 'noise', sample: 1 }),
  () => ({ kind: 'swap', latents: vectors(other) }),
];

describe('an intervention', () => {
  it('of none is not written into the trace', () => {
    expect(own.settings).not.toHaveProperty('intervention');
    expect(own.model).not.toHaveProperty('latentReach');
    expect(own.latents.length).toBeGreaterThan(K);
  });

  it('zero feeds zeros, and the trace says so and can be read again', async () => {
    const trace = await run({ intervention: { kind: 'zero' } });
    expect(trace.latents.length).toBeGreaterThanOrEqual(K);
    for (const vector of vectors(trace)) expect(vector.every((value) => value === 0)).toBe(true);
    expect(trace.settings.intervention).toBe('zero');
    expect((await reopened(trace.opened)).trace.settings.intervention).toBe('zero');
  });

  it('noise feeds other vectors of the norm of the own one, by seed and sample', async () => {
    const noise = (sample: number, seed = 0): Promise<Ran> =>
      run({ intervention: { kind: 'noise', sample }, seed, maxTokens: 40 });
    const [first, again, sample, seed] = [await noise(1), await noise(1), await noise(2), await noise(1, 1)];
    // Up to the first latent the run is the model's own, so there the norms can be compared.
    expect(norm(vectors(first)[0]!)).toBeCloseTo(norm(vectors(own)[0]!), 3);
    expect(vectors(again)).toEqual(vectors(first));
    for (const different of [own, sample, seed]) expect(vectors(different)[0]).not.toEqual(vectors(first)[0]);
    expect(vectors(first)[1]).not.toEqual(vectors(first)[0]);
  });

  it("swap feeds the other run's latents in order, again from the first where it has fewer", async () => {
    const latents = vectors(other).slice(0, 5);
    const trace = await run({ intervention: { kind: 'swap', latents } });
    expect(vectors(trace)).toEqual(trace.latents.map((_, i) => latents[i % 5]));
  });

  it('swap leaves the own latents where the other run has none', async () => {
    const trace = await run({ intervention: { kind: 'swap', latents: [] } });
    expect(vectors(trace)).toEqual(vectors(own));
  });

  it('mean, shuffle, oracle and dummy feed what they say, in their scope only', async () => {
    const [first, second] = [0, 1].map((block) => vectors(own).slice(block * K, (block + 1) * K)) as [
      Float32Array[],
      Float32Array[],
    ];
    const sorted = (list: Float32Array[]): string[] => list.map((vector) => vector.join()).toSorted();
    const mean = await run({ intervention: { kind: 'mean', latents: first } });
    const expected = first[0]!.map((_, c) => first.reduce((sum, vector) => sum + vector[c]!, 0) / K);
    for (const vector of vectors(mean)) expect(cosine(vector, expected)).toBeCloseTo(1, 5);

    const shuffle: LatentIntervention = {
      kind: 'shuffle',
      sample: 0,
      blocks: [first, second],
      scope: { block: 0 },
    };
    const shuffled = await run({ intervention: shuffle });
    expect(vectors(shuffled).slice(0, K)).not.toEqual(first);
    expect(sorted(vectors(shuffled).slice(0, K))).toEqual(sorted(first));
    expect(shuffled.settings.interventionScope).toEqual({ block: 0 });

    const oracle = await run({ intervention: { kind: 'oracle', blocks: [second.slice(0, 2)] } });
    const dummy = await run({ intervention: { kind: 'dummy', scope: { block: 0, latent: 3 } } });
    const pad = vectors(dummy)[3]!;
    expect(vectors(dummy).slice(0, 3)).toEqual(first.slice(0, 3));
    expect(vectors(dummy)[4]).not.toEqual(pad);
    expect(vectors(oracle).slice(0, K)).toEqual([...second.slice(0, 2), ...Array<Float32Array>(6).fill(pad)]);
  });

  it('none writes on without the block, or without one of them', async () => {
    const without = await run({ intervention: { kind: 'none' } });
    expect([without.blocks, without.latents]).toEqual([[], []]);
    const text = (trace: Trace, before: number): string[] =>
      trace.tokens.slice(0, before).map(({ text: word }) => word);
    const [first, second] = own.blocks;
    expect(text(without, first!.startToken)).toEqual(text(own, first!.startToken));
    // The second block only: everything up to it is as it was.
    const one = await run({ intervention: { kind: 'none', scope: { block: 1 } } });
    expect(one.tokens.slice(0, second!.startToken).map(({ id }) => id)).toEqual(
      own.tokens.slice(0, second!.startToken).map(({ id }) => id),
    );
    expect(one.tokens[second!.startToken]!.kind).toBe('text');
  });

  it.each(['forced', 'free'] as const)(
    'markers (%s) makes blocks of start and end alone',
    async (latents) => {
      const trace = await run({ intervention: { kind: 'markers' }, latents });
      expect(trace.latents).toEqual([]);
      expect(trace.blocks.length).toBeGreaterThan(0);
      for (const block of trace.blocks) {
        expect(block.latents).toBe(0);
        if (block.ended === 'forced') expect(block.endToken).toBe(block.startToken + 1);
      }
      expect((await reopened(trace.opened)).trace.blocks).toEqual(trace.blocks);
    },
  );
});

describe('latent reach', () => {
  it('none: the answer is the same to the id, whatever stands at the latents', async () => {
    const plain = await run({ reach: 'none' });
    expect(plain.model.latentReach).toBe('none');
    expect(plain.latents.length).toBeGreaterThanOrEqual(K);
    for (const intervention of REPLACED.map((make) => make())) {
      const trace = await run({ reach: 'none', intervention });
      expect(vectors(trace)).not.toEqual(vectors(plain));
      expect(trace.tokens.map(withoutAttention)).toEqual(plain.tokens.map(withoutAttention));
    }
  });

  it('only: with the latents of another run, nothing after a block depends on the picture', async () => {
    const latents = vectors(other);
    const swapped = (image: string): Promise<Ran> =>
      // The first block is forced to the same place; all up to it may depend on the picture.
      run({ reach: 'only', intervention: { kind: 'swap', latents }, image, force: { 0: START } });
    const [a, b] = [await swapped(exampleImage), await swapped(OTHER_IMAGE)];
    const rest = (trace: Trace): unknown => trace.tokens.slice(1).map(withoutAttention);
    expect(a.prompt.ids).toEqual(b.prompt.ids);
    expect(rest(a)).toEqual(rest(b));
    const last = ({ tokens }: Trace): string =>
      tokens.findLast(({ attention }) => attention)!.attention!.sha256;
    expect(last(a)).toEqual(last(b));
    // Not so with each run's own latents, or the test would hold for a model that answers always the same.
    const free = (image: string): Promise<Ran> => run({ reach: 'only', image, force: { 0: START } });
    expect(rest(await free(exampleImage))).not.toEqual(rest(await free(OTHER_IMAGE)));
  });

  it.each(['only', 'none'] as const)(
    '%s: attention is 0 exactly at what the mask hides, and its rows sum to 1',
    async (reach) => {
      // Long enough that the cache moves growing rows into its frozen part.
      const trace = await run({ reach, maxTokens: 100, force: { 0: START, 10: START } });
      const [first, second] = trace.blocks;
      const start = trace.prompt.ids.length;
      const [from, to] = [start + first!.startToken + 1, start + first!.endToken!];
      expect([to - from, start + second!.startToken]).toEqual([K, start + 10]);
      const pads = new Set(trace.latents.map(({ position }) => position));
      const last = trace.blocks.findLast(({ endToken }) => endToken !== undefined)!;
      const ended = start + last.endToken!;
      const inLast = (key: number): boolean => key > start + last.startToken && key < ended;
      const hidden = (key: number): boolean =>
        reach === 'none' ? pads.has(key) : key < ended && !inLast(key);
      const after = trace.tokens.findLast(({ attention }) => attention)!;
      const { range } = trace.pictures[0]!;
      const patches = Array.from({ length: range!.count }, (_, i) => range!.start + i);
      const keys = [...patches, ...trace.latents.map(({ position }) => position)];
      const { container } = trace.opened;
      for (const row of rowsOf((await readArray(container, after.attention!)).data, keys.length)) {
        row.forEach((value, i) => expect([keys[i], value === 0]).toEqual([keys[i], hidden(keys[i]!)]));
      }
      for (const row of rowsOf(after.looks!.data, LOOKS.length)) {
        expect(row.subarray(0, 4).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
      }
      // A latent's own row.
      const latent = trace.latents[K - 1]!;
      for (const row of rowsOf((await readArray(container, latent.attention)).data, latent.position + 1)) {
        expect(row.slice(0, from).every((value) => value === 0)).toBe(reach === 'only');
        expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 3);
      }
    },
  );
});

const START = 495;

const withoutAttention = (token: Trace['tokens'][number]): unknown => ({
  ...token,
  attention: undefined,
  looks: undefined,
});

function rowsOf(data: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: data.length / width }, (_, i) => data.subarray(i * width, (i + 1) * width));
}
