/** Runs that go on from a point of another, with something changed. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { analyseRequest } from '../../src/client/analyseRequest.ts';
import { branchRequest, changesOf, type BranchChanges } from '../../src/client/branchRequest.ts';
import { compareRuns } from '../../src/comparison/compare.ts';
import { analyse } from '../../src/engine/analyse.ts';
import { PictureMemory } from '../../src/engine/pictureMemory.ts';
import { Model } from '../../src/inference/model.ts';
import { PromptMemory } from '../../src/inference/promptMemory.ts';
import { readArray } from '../../src/trace/arrays.ts';
import { describeBranch } from '../../src/trace/branch.ts';
import { answerText } from '../../src/trace/steps.ts';
import type { MemoryContainer } from '../../src/traceFile/container.ts';
import { readManifest, writeManifest } from '../../src/traceFile/manifest.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { examples, repository } from '../fixtures/paths.ts';
import { completeRun } from '../fixtures/reasonRun.ts';

const MAP = join(examples, 'map-05.png');

describe('a branch', () => {
  const memory = { prompt: new PromptMemory(), pictures: new PictureMemory() };
  const pictures = { images: [{ name: 'map', bytes: readFileSync(MAP) }], helpers: [] };
  let model: Model;
  let parent: OpenTrace;

  beforeAll(async () => {
    model = await Model.open(await openCheckpoint(join(repository, 'models', 'maze')), 'cpu');
    parent = await completeRun(model, { image: MAP, maxTokens: 200, memory });
  });
  afterAll(async () => {
    memory.prompt.forget();
    await model?.release();
  });

  async function branch(
    of: OpenTrace,
    at: number,
    changes: BranchChanges = {},
    from: { parent?: string } = {},
  ): Promise<OpenTrace> {
    const point = { trace: of.trace, container: of.container, at, ...from };
    const { request, bytes } = await branchRequest(point, changes, pictures);
    const begun = (of.container as MemoryContainer).all().slice(0, bytes);
    return completeRun(model, { ...request, id: 'branch', memory, begun });
  }

  const ids = ({ trace }: OpenTrace): number[] => trace.tokens.map(({ id }) => id);
  const vectors = async ({ trace, container }: OpenTrace): Promise<number[][]> =>
    Promise.all(trace.latents.map(async ({ vector }) => [...(await readArray(container, vector)).data]));
  const start = (block: number): number => parent.trace.blocks[block]!.startToken;

  it('without a change says what its parent said, and reads neither its pictures nor its prompt again', async () => {
    // Before a block, inside one, and at the first token.
    for (const at of [start(1), start(1) + 3, 0]) {
      const same = await branch(parent, at);
      expect(ids(same)).toEqual(ids(parent));
      expect(answerText(same.trace)).toBe(answerText(parent.trace));
      expect(same.trace.blocks).toEqual(parent.trace.blocks);
      const [own, its] = [await vectors(same), await vectors(parent)];
      own.forEach((vector, i) =>
        vector.forEach((value, c) => expect(Math.abs(value - its[i]![c]!)).toBeLessThan(0.01)),
      );
      const [encode, read] = same.trace.timings.map(({ name }) => name);
      const length = parent.trace.prompt.ids.length;
      expect(encode).toBe('encode pictures, reused 1 of 1 pictures');
      expect(read).toContain(`reused ${length} of ${length} positions`);
      if (at > 0) expect(read).toContain(`${at} tokens of the parent`);
    }
  });

  it('has what stands before it from its parent, and is a trace like any other', async () => {
    const at = start(0);
    const other = await branch(parent, at, { text: 'left (1,1)\n' });
    const { trace } = other;
    expect(trace.branch).toMatchObject({ parent: 'run', at, changes: { words: { text: 'left (1,1)\n' } } });
    const { words } = trace.branch!.changes;
    expect(ids(other).slice(at, at + words!.ids.length)).toEqual(words!.ids);
    expect(trace.tokens[at]!.forced).toBe(true);
    expect(trace.tokens.slice(0, at)).toEqual(parent.trace.tokens.slice(0, at));
    expect(describeBranch(trace.branch!)).toBe(`from token ${at + 1}: “left (1,1)”`);
    const data = Buffer.from((other.container as MemoryContainer).all()).toString('base64');
    const read = await readManifest(writeManifest(trace, { data }), 'it');
    expect(read.trace.branch).toEqual(trace.branch);
    for (const { attention } of trace.tokens.slice(0, -1))
      if (attention !== undefined) await readArray(other.container, attention);
  });

  it('comes to the same tokens and latents, to the bit, when it is run once more: from its parent or from itself', async () => {
    const changes = { text: 'down', temperature: 1.2, seed: 5 };
    const first = await branch(parent, start(1), changes);
    memory.prompt.forget();
    const again = await branch(parent, start(1), changes);
    const itself = await branch(first, first.trace.branch!.at, changesOf(first.trace), { parent: 'run' });
    for (const other of [again, itself]) {
      expect(ids(other)).toEqual(ids(first));
      expect(await vectors(other)).toEqual(await vectors(first));
      expect(other.trace.branch).toEqual(first.trace.branch);
    }
  });

  it('goes on with the random numbers of its parent, or draws others by another seed', async () => {
    const drawn = await completeRun(model, { image: MAP, maxTokens: 60, temperature: 2, seed: 3, memory });
    const at = 20;
    expect(ids(await branch(drawn, at))).toEqual(ids(drawn));
    expect(ids(await branch(drawn, at, { seed: 4 }))).not.toEqual(ids(drawn));
  });

  it('thinks by the rules that its parent was asked to, also once more', async () => {
    const protocol = { count: 3 };
    const short = await completeRun(model, { image: MAP, maxTokens: 200, memory, protocol });
    const at = short.trace.blocks[1]!.startToken;
    const one = await branch(short, at, { intervention: { kind: 'zero' } });
    expect(one.trace.blocks.map(({ latents }) => latents)).toEqual(one.trace.blocks.map(() => 3));
    expect(one.trace.settings).toMatchObject({ protocol, intervention: 'zero' });
    const again = await branch(one, at, changesOf(one.trace), { parent: short.trace.id });
    expect(ids(again)).toEqual(ids(one));
    expect(compareRuns(short.trace, parent.trace).differences).toContainEqual({
      what: 'latent protocol',
      a: '{"count":3}',
      b: undefined,
    });
  });

  it('feeds other latents from there on alone', async () => {
    const at = start(1) + 3;
    const zeroed = await branch(parent, at, { intervention: { kind: 'zero' } });
    const [own, its] = [await vectors(zeroed), await vectors(parent)];
    const before = parent.trace.latents.filter(({ token }) => token < at).length;
    expect(own.slice(0, before)).toEqual(its.slice(0, before));
    expect(own.slice(before).every((vector) => vector.every((value) => value === 0))).toBe(true);
    // What it fed goes on in a branch of it, until the model's own are wished.
    const at2 = zeroed.trace.blocks[2]!.startToken;
    expect((await vectors(await branch(zeroed, at2))).at(-1)!.every((value) => value === 0)).toBe(true);
    const back = await branch(zeroed, at2, { intervention: 'own' });
    expect((await vectors(back)).at(-1)!.some((value) => value !== 0)).toBe(true);
    expect(back.trace.branch).toMatchObject({ replacedBefore: true });
  });

  it('hides a region from what follows, in every layer and head; and from its own branches', async () => {
    const at = start(1);
    const patches = [0, 1, 7];
    const mask = { picture: parent.trace.pictures[0]!.id, patches };
    const hidden = await branch(parent, at, { mask });
    const child = await branch(hidden, hidden.trace.blocks[2]!.startToken);
    const { range } = parent.trace.pictures[0]!;
    for (const run of [hidden, child]) {
      for (const { token, attention } of run.trace.latents) {
        const { shape, data } = await readArray(run.container, attention);
        const [layers = 0, heads = 0, keys = 0] = shape;
        for (let row = 0; row < layers * heads; row++) {
          const weights = data.subarray(row * keys, (row + 1) * keys);
          const seen = patches.map((patch) => weights[range!.start + patch]!);
          if (token >= at) expect(Math.max(...seen)).toBe(0);
          expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 2);
        }
      }
    }
    const first = await readArray(hidden.container, hidden.trace.latents[0]!.attention);
    expect(Math.max(...patches.map((patch) => first.data[range!.start + patch]!))).toBeGreaterThan(0);
    // A replay masks the same, and so do variants of the branch, or they would not come to the run's latents.
    const identity = { name: 'it', fingerprint: model.checkpoint.fingerprint };
    const quiet = { found: () => undefined, progress: () => undefined, pause: async () => undefined };
    for (const asked of [
      { name: 'lens', parameters: { words: 1 } },
      { name: 'causality', parameters: { variants: ['zero'], block: 3 } },
    ] as const) {
      const request = await analyseRequest(hidden.trace, hidden.container, asked);
      expect((await analyse({ model, identity, ...quiet }, request)).status).toBe('complete');
      await expect(analyse({ model, identity, ...quiet }, { ...request, masks: [] })).rejects.toThrow(
        /does not come to the latents/,
      );
    }
  });

  it.each<[string, number, BranchChanges, RegExp]>([
    ['a place after the end', 5000, {}, /A branch cannot begin there.*found token 5001/],
    [
      'a region that is not in the picture',
      12,
      { mask: { picture: 'input-1', patches: [9999] } },
      /not within the picture.*found 10000/,
    ],
    [
      'a picture that is not there',
      12,
      { mask: { picture: 'x', patches: [0] } },
      /cannot be hidden.*found x/,
    ],
    [
      'latents of another size',
      12,
      { intervention: { kind: 'swap', latents: [new Float32Array(3)] } },
      /do not fit the model.*found 3 numbers/,
    ],
    ['markers among words', 12, { text: 'a<|latent_pad|>' }, /cannot be written there/],
    ['no words', 12, { text: '' }, /at least one word/],
  ])('refuses %s', async (_, at, changes, message) => {
    await expect(branch(parent, at, changes)).rejects.toThrow(message);
  });

  it('refuses words inside a block, another model, and other pictures', async () => {
    await expect(branch(parent, start(1) + 3, { text: 'left' })).rejects.toThrow(/outside latent blocks/);
    const [{ trace }] = [parent];
    const other = { ...trace, model: { ...trace.model, fingerprint: 'another', sha256: undefined } };
    const point = { trace: other as typeof trace, container: parent.container, at: 12 };
    const asked = await branchRequest(point, {}, pictures);
    await expect(completeRun(model, { ...asked.request, memory })).rejects.toThrow(
      /needs the model that made/,
    );
    const bytes = readFileSync(join(repository, 'examples', 'map-09.png'));
    const moved = await branchRequest(
      { ...point, trace },
      {},
      { images: [{ name: 'b', bytes }], helpers: [] },
    );
    await expect(completeRun(model, { ...moved.request, memory })).rejects.toThrow(/pictures of its parent/);
  });
});
