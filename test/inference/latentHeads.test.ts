/** Models whose latents go through a head: whatever reads a run once more computes from what the run itself used. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { walkBack } from '../../src/inference/backward.ts';
import { Generation, type GenerationSettings, type Step } from '../../src/inference/generation.ts';
import { Model } from '../../src/inference/model.ts';
import type { Prompt } from '../../src/inference/prompt.ts';
import { logProbabilities, replay, sequenceOf, type Sequence } from '../../src/inference/replay.ts';
import { readSelfFed } from '../../src/inference/selfFed.ts';
import type { NumericArray } from '../../src/tensor/array.ts';
import type { TraceBlock } from '../../src/trace/schema.ts';
import { randomPicture, smallCheckpoint } from '../train/smallModel.ts';

const small = await smallCheckpoint();
const SETTINGS: GenerationSettings = {
  latents: 'forced',
  maxTokens: 12,
  temperature: 0,
  topP: 1,
  repetitionPenalty: 1,
  seed: 0,
};
const NEAR = 2e-6;
/** Index of the start token; three latents follow, and then a word that is chosen at the last of them. */
const START = 3;

function withHead(kind: 'simple' | 'glu'): Checkpoint {
  const { config } = small;
  // Without an end token, as LVR has it.
  const rules = { source: 'head', headLogits: true, forcedEnd: false } as const;
  return {
    ...small,
    config: { ...config, protocol: { ...config.protocol!, ...rules }, latentHead: { kind, width: 9 } },
  };
}

describe.each(['simple', 'glu'] as const)('with a head of kind %s', (kind) => {
  let model: Model;
  let prompt: Prompt;
  let steps: Step[];
  /** As they were after so many steps, less one. */
  let blocks: TraceBlock[][];
  let sequence: Sequence;
  let width = 0;

  beforeAll(async () => {
    const checkpoint = withHead(kind);
    const { tokens } = checkpoint.config;
    model = await Model.open(checkpoint, 'cpu');
    const ids = [1, ...new Array<number>(6).fill(tokens.imagePad), 5, 6, 7];
    prompt = { ids, ...(await model.embedPrompt(ids, [randomPicture(checkpoint, 1)])) };
    width = checkpoint.config.text.hiddenSize;
    const run = await Generation.begin(model, prompt, SETTINGS);
    blocks = [];
    steps = await go(run, 12, blocks);
    run.dispose();
    sequence = await sequenceOf(model, prompt, pastOf(12));
  });
  afterAll(() => model?.release());

  /** With the rest of the steps of a run, at the most so many. */
  async function go(run: Generation, count: number, account: TraceBlock[][] = []): Promise<Step[]> {
    const { start } = model.checkpoint.config.tokens.latent!;
    const done: Step[] = [];
    while (done.length < count && run.ended === undefined) {
      const ban = model.checkpoint.generation.eosIds;
      done.push(await run.step({ ban, ...(run.count === START && { force: start }) }));
      account.push(run.blocks.map((block) => ({ ...block })));
    }
    return done;
  }

  /** The first tokens of the run. */
  function pastOf(count: number) {
    const some = steps.slice(0, count);
    const latents = new Map(
      some.flatMap(({ token, fed }) => (fed?.vector ? [[token.index, fed.vector] as const] : [])),
    );
    return { ids: some.map(({ token }) => token.id), latents, blocks: blocks[count - 1]!, draws: 0 };
  }

  const row = ({ data }: NumericArray, at: number): Float32Array => data.slice(at * width, (at + 1) * width);
  const distance = (a: Float32Array, b: Float32Array): number =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

  it('a replay gives its latents and what its words were chosen from', async () => {
    const latents = steps.filter(({ token }) => token.kind === 'latent');
    expect(latents).toHaveLength(3);
    const first = prompt.ids.length;
    let words = 0;
    for await (const { hidden, following } of replay(model, sequence, {})) {
      latents.forEach(({ fed, token }, i) => {
        const at = first + token.index - 1;
        expect(distance(row(following.fed, at), fed!.vector!)).toBeLessThan(NEAR);
        // A block's first is the plain state; the others are far from it.
        const plain = distance(row(hidden, at), fed!.vector!);
        if (i === 0) expect(plain).toBeLessThan(NEAR);
        else expect(plain).toBeGreaterThan(0.01);
      });
      for (const { token } of steps) {
        if (token.probability === undefined) continue;
        const data = row(following.chosen, first + token.index - 1);
        const [log] = await logProbabilities(model, { shape: [1, width], data }, [token.id]);
        expect(Math.exp(log!)).toBeCloseTo(token.probability, 5);
        words++;
      }
    }
    expect(words).toBeGreaterThan(7);
    expect(steps[START + 4]!.token.kind).toBe('text');
  });

  it('latents that are made anew are those of the run', async () => {
    const { vectors } = await remade(sequence.embeddings);
    const latents = steps.filter(({ token }) => token.kind === 'latent');
    expect(vectors.size).toBe(3);
    for (const { token, fed } of latents)
      expect(distance(vectors.get(prompt.ids.length + token.index)!, fed!.vector!)).toBeLessThan(NEAR);
  });

  it.each([START + 2, START + 3, START + 4])(
    'a run that goes on after %i tokens does as the run did',
    async (count) => {
      const past = pastOf(count);
      const branch = await Generation.begin(model, prompt, SETTINGS, undefined, undefined, past);
      const rest = await go(branch, 12 - count);
      branch.dispose();
      expect(rest.map(({ token }) => token.id)).toEqual(steps.slice(count).map(({ token }) => token.id));
      rest.forEach(({ fed, token }, i) => {
        const own = steps[count + i]!;
        if (token.logits !== undefined)
          expect(distance(token.logits, own.token.logits!)).toBeLessThan(10 * NEAR);
        if (own.fed?.vector !== undefined) expect(distance(fed!.vector!, own.fed.vector)).toBeLessThan(NEAR);
      });
    },
  );

  /** The sequence over other rows of its prompt, its latents made anew. */
  async function remade(embeddings: NumericArray) {
    const cache = model.newCache();
    const end = sequence.ids.length;
    const made = new Set(sequence.headed!.positions);
    try {
      return await readSelfFed(model, { ...sequence, embeddings, made, cache, end });
    } finally {
      cache.dispose();
    }
  }

  it('the gradient that goes on from latents is what the words gain with their picture', async () => {
    const first = prompt.ids.length;
    // The first of them is chosen at the last latent.
    const words = [first + START + 4, first + START + 5];
    const follow = [...sequence.headed!.positions];
    const { followed, gradient, logProbability } = await walkBack(model, sequence, words, { follow });
    const ids = words.map((word) => sequence.ids[word]!);
    const log = async (at: number, by: number): Promise<number> => {
      const data = sequence.embeddings.data.slice();
      data[at]! += by;
      const { following } = await remade({ ...sequence.embeddings, data });
      const rows = new Float32Array(words.length * width);
      words.forEach((word, i) => rows.set(row(following.chosen, word - 1), i * width));
      const logs = await logProbabilities(model, { shape: [words.length, width], data: rows }, ids);
      return logs.reduce((sum, value) => sum + value, 0);
    };
    expect(await log(0, 0)).toBeCloseTo(logProbability, 4);
    // Where the latents carry most of it, so that a way around them would not do.
    const carried = (i: number): number => Math.abs(followed.data[i]! - gradient.data[i]!);
    const at = Array.from({ length: first * width }, (_, i) => i)
      .toSorted((a, b) => carried(b) - carried(a))
      .slice(0, 3);
    for (const i of at) {
      const slope = ((await log(i, 0.01)) - (await log(i, -0.01))) / 0.02;
      const off = Math.abs(followed.data[i]! - slope);
      expect(off).toBeLessThan(0.05 * carried(i));
    }
  });
});
