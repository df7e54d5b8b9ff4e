/** A run as an object that can fork, with a small model of random weights: whatever is lost on the way shows in its numbers. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Generation,
  type Fed,
  type GenerationSettings,
  type NewToken,
  type StepInput,
} from '../../src/inference/generation.ts';
import { Model } from '../../src/inference/model.ts';
import type { Prompt } from '../../src/inference/prompt.ts';
import { readPrompt } from '../../src/inference/promptMemory.ts';
import type { NumericArray } from '../../src/tensor/array.ts';
import { DEVICES } from '../onnx/devices.ts';
import { randomPicture, smallCheckpoint } from '../train/smallModel.ts';

const checkpoint = await smallCheckpoint();
const { tokens, latentSize: K } = checkpoint.config;
const START = tokens.latent!.start;
const SETTINGS: GenerationSettings = {
  latents: 'forced',
  maxTokens: 100,
  temperature: 1,
  topP: 0.95,
  repetitionPenalty: 1.1,
  seed: 3,
};
/** Where blocks are forced to begin: the last before the cache moves its growing rows into the frozen part. */
const STARTS = [4, 20, 62];
/** Long enough to come out of the last block after that. */
const STEPS = 72;

type Step = { token: NewToken; fed?: Fed };

/** The step of every run here, unless a test says otherwise; nothing ends its answer. */
const usual = (run: Generation): StepInput => ({
  ban: checkpoint.generation.eosIds,
  ...(STARTS.includes(run.count) && { force: START }),
});

async function go(run: Generation, steps: number, input = usual): Promise<Step[]> {
  const done: Step[] = [];
  for (let i = 0; i < steps; i++) done.push(await run.step(input(run)));
  return done;
}

describe.each(DEVICES)('a generation on $device', ({ device, available }) => {
  describe.runIf(available)('', () => {
    let model: Model;
    let prompt: Prompt;
    /** The run itself, to its end. */
    let whole: Step[];
    const open: Generation[] = [];

    beforeAll(async () => {
      model = await Model.open(checkpoint, device);
      const ids = [1, ...new Array<number>(6).fill(tokens.imagePad), 5, 6, 7];
      prompt = { ids, ...(await model.embedPrompt(ids, [randomPicture(checkpoint, 1)])) };
      whole = await go(await begin(), STEPS);
    });
    afterAll(async () => {
      for (const run of open) run.dispose();
      await model?.release();
    });

    async function begin(settings: Partial<GenerationSettings> = {}): Promise<Generation> {
      const run = await Generation.begin(model, prompt, { ...SETTINGS, ...settings });
      open.push(run);
      return run;
    }

    function fork(run: Generation, changes: Partial<GenerationSettings> = {}): Generation {
      const other = run.fork(changes);
      open.push(other);
      return other;
    }

    it('has blocks of K latents where it was forced to begin them, and is not one word over and over', () => {
      const blocks = STARTS.map((start) => whole.slice(start + 1, start + 1 + K));
      for (const block of blocks)
        expect(block.every(({ fed }) => fed!.vector?.some((value) => value !== 0))).toBe(true);
      expect(new Set(whole.map(({ token }) => token.id)).size).toBeGreaterThan(20);
    });

    it('goes on in a fork bit for bit as by itself, from wherever it forked', async () => {
      const run = await begin();
      const forks: { at: number; fork: Generation }[] = [];
      for (let i = 0; i < STEPS; i++) {
        // At the prompt, before and in a block, among words, around the move of rows.
        if ([0, 4, 6, 7, 15, 63, 64, 66].includes(i)) forks.push({ at: i, fork: fork(run) });
        await run.step(usual(run));
      }
      expect(forks).toHaveLength(8);
      for (const { at, fork: other } of forks) {
        const expected = whole.slice(at, at + 10);
        expect(await go(other, expected.length), `from step ${at}`).toEqual(expected);
      }
    });

    it('may fork between deciding and feeding, at a word and at a latent', async () => {
      for (const at of [2, 6]) {
        const run = await begin();
        await go(run, at);
        await run.decide(usual(run));
        const other = fork(run);
        for (const each of [run, other]) {
          expect(await each.feed()).toEqual(whole[at]!.fed);
          expect(await go(each, 5)).toEqual(whole.slice(at + 1, at + 6));
        }
      }
    });

    it('is not disturbed by a fork in which latents are replaced', async () => {
      const run = await begin();
      const before = STARTS[1]! - 2;
      await go(run, before);
      const other = fork(run);
      const replaced = (each: Generation): StepInput => ({ ...usual(each), intervention: { kind: 'zero' } });
      for (let i = before; i < before + 15; i++) {
        const own = await run.step(usual(run));
        const { token, fed } = await other.step(replaced(other));
        expect(own).toEqual(whole[i]);
        expect(fed!.vector?.every((value) => value === 0) ?? 'a word').toBe(
          own.fed!.vector === undefined ? 'a word' : true,
        );
        // From the first latent on it is another run.
        if (i > STARTS[1]! + 1) expect(fed!.attention).not.toEqual(own.fed!.attention);
        expect(token.kind).toBe(own.token.kind);
      }
      expect(other.blocks).toEqual(run.blocks);
    });

    it('is not disturbed by a fork that ends its block, whose words then stand where they would have', async () => {
      const run = await begin();
      const [start] = STARTS as [number];
      await go(run, start + 2);
      const other = fork(run);
      const { token, fed } = await other.step({ intervention: { kind: 'markers' } });
      expect(token).toMatchObject({ kind: 'latent-end', closed: { latents: 1, ended: 'forced' } });
      expect(await go(run, 4)).toEqual(whole.slice(start + 2, start + 6));
      // The same read by hand: attention tells at which place the end stands, K places after the block's start.
      const { cache } = await readPrompt(model, prompt);
      const read = async (input: NumericArray, index: number): Promise<Float32Array> => {
        const place = prompt.ids.length + prompt.delta + index;
        return (await model.step(cache, input, [[place, place, place]])).attention.data;
      };
      for (let i = 0; i <= start; i++) await read(await model.embed([whole[i]!.token.id]), i);
      const vector = whole[start + 1]!.fed!.vector!;
      await read({ shape: [1, vector.length], data: vector }, start + 1);
      expect(fed!.attention.data).toEqual(await read(await model.embed([token.id]), start + 1 + K));
      cache.dispose();
    });

    it('may be disposed of before its forks or after them, and twice', async () => {
      const run = await begin();
      await go(run, 10);
      const [first, second] = [fork(run), fork(run)];
      const third = fork(second);
      run.dispose();
      run.dispose();
      expect(await go(first, 3)).toEqual(whole.slice(10, 13));
      second.dispose();
      expect(await go(third, 3)).toEqual(whole.slice(10, 13));
      third.dispose();
      expect(await go(first, 3)).toEqual(whole.slice(13, 16));
      expect(() => run.fork()).toThrow(/disposed/);
      await expect(run.step()).rejects.toThrow(/disposed/);
    });

    it('freezes rows by itself, whether or not its fork has', async () => {
      const run = await begin();
      await go(run, 60);
      const [early, late] = [fork(run), fork(run)];
      expect(await go(early, 10)).toEqual(whole.slice(60, 70));
      early.dispose();
      expect(await go(run, 10)).toEqual(whole.slice(60, 70));
      run.dispose();
      expect(await go(late, 10)).toEqual(whole.slice(60, 70));
    });

    it('draws anew in a fork with another seed', async () => {
      const run = await begin();
      await go(run, 6);
      const ids = async (each: Generation): Promise<number[]> =>
        (await go(each, 12)).map(({ token }) => token.id);
      const [same, other, again] = [fork(run), fork(run, { seed: 8 }), fork(run, { seed: 8 })];
      const drawn = await ids(other);
      expect(await ids(same)).toEqual(whole.slice(6, 18).map(({ token }) => token.id));
      expect(drawn).not.toEqual(whole.slice(6, 18).map(({ token }) => token.id));
      expect(await ids(again)).toEqual(drawn);
    });

    it('takes the words of its caller, and says what the model thinks of them', async () => {
      const run = await begin({ temperature: 0 });
      const own = (await fork(run).step()).token;
      const banned = (await fork(run).step({ ban: [own.id] })).token;
      const forced = (await run.step({ force: banned.id })).token;
      expect(banned.id).not.toBe(own.id);
      expect(own.logits).toEqual(forced.logits);
      const total = own.logits!.reduce((sum, logit) => sum + Math.exp(logit), 0);
      for (const { id, probability, logits } of [own, banned, forced])
        expect(probability).toBeCloseTo(Math.exp(logits![id]!) / total, 6);
      expect([own.forced, banned.forced, forced.forced]).toEqual([false, false, true]);
    });

    it('ends at its limit without feeding the last token; a fork with another limit feeds it and goes on', async () => {
      const run = await begin({ maxTokens: 3 });
      const last = (await go(run, 3)).at(-1)!;
      expect(last).toEqual({ token: whole[2]!.token });
      expect([run.ended, run.count]).toEqual(['limit', 3]);
      await expect(run.step()).rejects.toThrow('nothing to decide');
      const other = fork(run, { maxTokens: 6 });
      expect(await other.feed()).toEqual(whole[2]!.fed);
      expect((await go(other, 3)).at(-1)!.token).toEqual(whole[5]!.token);
      expect(other.ended).toBe('limit');
    });

    it('ends with the token that ends an answer', async () => {
      const run = await begin();
      const [end] = checkpoint.generation.eosIds;
      expect((await run.step({ force: end! })).token).toMatchObject({ id: end, kind: 'end', forced: true });
      expect(run.ended).toBe('end');
      await expect(run.feed()).rejects.toThrow('nothing to feed');
    });

    it('lets go of keys and values once nobody needs them', async () => {
      const cache = model.newCache();
      await model.prefill(cache, prompt.embeddings, prompt.positions);
      const read = Object.values(cache.inputs(1, () => true).feeds);
      const locations = (): string[] => [...new Set(read.map(({ location }) => location))];
      const other = cache.fork();
      cache.dispose();
      expect(locations()).not.toContain('none');
      await model.step(other, await model.embed([5]), [[10, 10, 10]]);
      other.dispose();
      expect(locations()).toEqual(['none']);
    });
  });
});

it('where a first latent stands in place of start, a block that is left empty feeds start itself', async () => {
  const { config } = checkpoint;
  const stop = { ...config.protocol!.stop, endToken: true };
  const protocol = { ...config.protocol!, firstFeed: 'replace-start' as const, append: 'own' as const, stop };
  const model = await Model.open({ ...checkpoint, config: { ...config, protocol } }, 'cpu');
  const prompt: Prompt = { ids: [1, 5, 6], ...(await model.embedPrompt([1, 5, 6], [])) };
  const run = await Generation.begin(model, prompt, SETTINGS);
  try {
    const intervention = { kind: 'markers', scope: { block: 0 } } as const;
    const steps = await go(run, 12, (each) => ({
      ban: checkpoint.generation.eosIds,
      intervention,
      ...([2, 6].includes(each.count) && { force: START }),
    }));
    const kinds = steps.map(({ token }) => token.kind);
    expect(kinds.slice(0, 5)).toEqual(['text', 'text', 'latent-start', 'latent-end', 'text']);
    // The scope is the first block alone.
    expect(kinds[6]).toBe('latent');
    expect(run.blocks.map(({ latents }) => latents)[0]).toBe(0);
  } finally {
    run.dispose();
    await model.release();
  }
});
