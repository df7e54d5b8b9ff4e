/** Relevance by gradients and rollout, held against finite differences and a decoder written down plainly. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { walkBack, type LayerFlow } from '../../src/inference/backward.ts';
import { generate } from '../../src/inference/generate.ts';
import type { NewToken } from '../../src/inference/generation.ts';
import type { Prompt } from '../../src/inference/prompt.ts';
import { logProbabilityOf } from '../../src/inference/logitRules.ts';
import { Model } from '../../src/inference/model.ts';
import { logProbabilities, replay, sequenceOf, type Sequence } from '../../src/inference/replay.ts';
import { HeadMeans } from '../../src/inference/rollout.ts';
import { seededNumbers } from '../../src/base/random.ts';
import type { NumericArray } from '../../src/tensor/array.ts';
import { bundledModel } from '../fixtures/paths.ts';
import { DEVICES } from '../onnx/devices.ts';
import { randomPicture, smallCheckpoint } from '../train/smallModel.ts';
import { slowDecoder, type SlowInput } from './slowDecoder.ts';

const small = await smallCheckpoint();

/** Six words, two latents, three words more. */
async function sequenceFor(model: Model): Promise<Sequence> {
  const { tokens, text } = model.checkpoint.config;
  const ids = [1, ...new Array<number>(6).fill(tokens.imagePad), 5, 6, 7];
  const random = seededNumbers(5);
  const picture = randomPicture(model.checkpoint, 1);
  const prompt: Prompt = { ids, ...(await model.embedPrompt(ids, [picture])) };
  const latent = (): Float32Array => Float32Array.from({ length: text.hiddenSize }, () => random() - 0.5);
  const { start, pad, end } = tokens.latent!;
  return sequenceOf(model, prompt, {
    ids: [11, start, pad, pad, end, 30, 40, 50],
    latents: new Map([
      [2, latent()],
      [3, latent()],
    ]),
    blocks: [{ startToken: 1, latents: 2, endToken: 4 }],
  });
}

/** Words whose probability is explained, by index in the sequence. */
const WORDS = [15, 16, 17];

describe.each(DEVICES)('on $device', ({ device, available }) => {
  describe.runIf(available)('', () => {
    let model: Model;
    let sequence: Sequence;
    let slow: ReturnType<typeof slowDecoder>;
    let input: SlowInput;

    beforeAll(async () => {
      model = await Model.open(small, device);
      sequence = await sequenceFor(model);
      slow = slowDecoder(small);
      const width = small.config.text.hiddenSize;
      const vectors = sequence.ids.map((_, i) =>
        Array.from(sequence.embeddings.data.subarray(i * width, (i + 1) * width)),
      );
      input = { vectors, positions: sequence.positions };
    });
    afterAll(() => model?.release());

    /** log p of the words, plainly. */
    function slowLog(change: Partial<SlowInput>): number {
      const { logits } = slow({ ...input, ...change });
      return WORDS.reduce((sum, word) => {
        const row = logits[word - 1]!;
        return sum + row[sequence.ids[word]!]! - Math.log(row.reduce((total, x) => total + Math.exp(x), 0));
      }, 0);
    }

    async function walk(): Promise<{ flows: LayerFlow[]; back: Awaited<ReturnType<typeof walkBack>> }> {
      const flows: LayerFlow[] = [];
      const onLayer = async (flow: LayerFlow): Promise<void> => {
        flows[flow.layer] = flow;
      };
      const back = await walkBack(model, sequence, WORDS, { onLayer });
      return { flows, back };
    }

    it('the log-probability is that of the words', async () => {
      const { back } = await walk();
      expect(back.logProbability).toBeCloseTo(slowLog({}), 4);
    });

    it('gradient × attention of a layer, query and key is what the log-probability gains with that attention', async () => {
      const { flows } = await walk();
      const T = WORDS.at(-1)!;
      const step = 1e-4;
      // A word's query, a latent's and a picture's; the last query that counts; one that nothing depends on any more.
      const places = [
        [0, 14, 3],
        [0, 12, 2],
        [1, 16, 12],
        [0, 16, 13],
        [1, 14, 14],
        [1, 12, 3],
      ] as const;
      let largest = 0;
      for (const [layer, query, key] of places) {
        const scaled = (by: number): number =>
          slowLog({ scale: (l, q, k) => (l === layer && q === query && k === key ? 1 + by : 1) });
        const slope = (scaled(step) - scaled(-step)) / (2 * step);
        expect(flows[layer]!.flow.data[query * T + key]).toBeCloseTo(slope, 5);
        largest = Math.max(largest, Math.abs(slope));
      }
      expect(largest).toBeGreaterThan(1e-3);
    });

    it('by key over all queries is what it gains when all attention to that position grows', async () => {
      const { flows } = await walk();
      const T = WORDS.at(-1)!;
      for (const [layer, key] of [
        [0, 2],
        [0, 12],
        [1, 13],
        [1, 4],
      ] as const) {
        const scaled = (by: number): number =>
          slowLog({ scale: (l, _, k) => (l === layer && k === key ? 1 + by : 1) });
        const slope = (scaled(1e-4) - scaled(-1e-4)) / 2e-4;
        const column = Array.from({ length: T }, (_, query) => flows[layer]!.flow.data[query * T + key]!);
        expect(column.reduce((sum, value) => sum + value, 0)).toBeCloseTo(slope, 4);
      }
    });

    it('its positive part is nowhere below it, nor below 0', async () => {
      const { flows } = await walk();
      const { heads } = small.config.text;
      for (const { flow, positive } of flows) {
        expect(positive.data.every((value) => value >= 0)).toBe(true);
        flow.data.forEach((value, i) => expect(positive.data[i]! * heads).toBeGreaterThan(value - 1e-6));
      }
      expect(flows[0]!.positive.data.some((value) => value > 0)).toBe(true);
    });

    it('the gradient of what was fed is what the log-probability gains with it', async () => {
      const { back } = await walk();
      const width = small.config.text.hiddenSize;
      for (const [position, c] of [
        [3, 0],
        [12, 5],
        [13, 9],
        [16, 2],
      ] as const) {
        const moved = (by: number): number =>
          slowLog({
            vectors: input.vectors.map((row, t) =>
              t === position ? row.map((value, i) => (i === c ? value + by : value)) : row,
            ),
          });
        const slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
        expect(back.gradient.data[position * width + c]).toBeCloseTo(slope, 4);
      }
    });

    it('of log-odds instead, the gradient is the slope of log p / (1 - p)', async () => {
      const { followed: back } = await walkBack(model, sequence, WORDS, { objective: 'log-odds' });
      const width = small.config.text.hiddenSize;
      const odds = (position: number, c: number, by: number): number => {
        const vectors = input.vectors.map((row, t) =>
          t === position ? row.map((value, i) => (i === c ? value + by : value)) : row,
        );
        const { logits } = slow({ ...input, vectors });
        return WORDS.reduce((sum, word) => {
          const row = logits[word - 1]!;
          const others = row.reduce((all, x, id) => (id === sequence.ids[word] ? all : all + Math.exp(x)), 0);
          return sum + row[sequence.ids[word]!]! - Math.log(others);
        }, 0);
      };
      for (const [position, c] of [
        [3, 0],
        [12, 5],
        [16, 2],
      ] as const) {
        const slope = (odds(position, c, 1e-4) - odds(position, c, -1e-4)) / 2e-4;
        expect(back.data[position * width + c]).toBeCloseTo(slope, 4);
      }
    });

    it('rollout is the product of the mixed attention of all layers', async () => {
      const { attention } = slow(input);
      const T = sequence.ids.length;
      const means = new HeadMeans(attention.length, T);
      const all = new Set(sequence.ids.keys());
      for await (const part of replay(model, sequence, { attention: all })) means.add(part);
      let product = Array.from({ length: T }, (_, i) =>
        Array.from({ length: T }, (__, j) => Number(i === j)),
      );
      for (const maps of attention) {
        const mixed = Array.from({ length: T }, (_, q) =>
          Array.from({ length: T }, (__, k) => {
            const mean = maps.reduce((sum, map) => sum + (map[q]![k] ?? 0), 0) / maps.length;
            return 0.5 * mean + 0.5 * Number(q === k);
          }),
        );
        product = mixed.map((row) =>
          Array.from({ length: T }, (_, k) =>
            row.reduce((sum, share, m) => sum + share * product[m]![k]!, 0),
          ),
        );
      }
      for (const position of [0, 5, 12, T - 1]) {
        const rollout = means.rollout([position], 0.5);
        rollout.forEach((share, k) => expect(share).toBeCloseTo(product[position]![k]!, 5));
        expect(rollout.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
      }
      const both = means.rollout([12, T - 1], 0.5);
      both.forEach((share, k) => expect(share).toBeCloseTo((product[12]![k]! + product[T - 1]![k]!) / 2, 5));
      // Past all attention, a position consists of itself.
      expect(means.rollout([7], 1)[7]).toBe(1);
    });
  });
});

describe('on the bundled model', () => {
  it('gradient × input of patches and latents is the slope when they are fed a little larger', async () => {
    const model = await Model.open(await openCheckpoint(bundledModel), 'cpu');
    try {
      const sequence = await sequenceFor(model);
      const width = model.checkpoint.config.text.hiddenSize;
      const { gradient, logProbability } = await walkBack(model, sequence, WORDS);
      const log = async (positions: readonly number[], by: number): Promise<number> => {
        const data = sequence.embeddings.data.slice();
        for (const place of positions)
          for (let c = place * width; c < (place + 1) * width; c++) data[c]! *= 1 + by;
        const changed = { ...sequence, embeddings: { ...sequence.embeddings, data } };
        const hidden: number[] = [];
        for await (const part of replay(model, changed, {})) hidden.push(...part.hidden.data);
        const rows = Float32Array.from(hidden.slice((WORDS[0]! - 1) * width, WORDS.at(-1)! * width));
        const ids = WORDS.map((word) => sequence.ids[word]!);
        return (await logProbabilities(model, { shape: [ids.length, width], data: rows }, ids)).reduce(
          (sum, value) => sum + value,
          0,
        );
      };
      expect(await log([], 0)).toBeCloseTo(logProbability, 3);
      for (const positions of [[1, 2, 3, 4, 5, 6], [12], [13], [15]]) {
        const product = positions.reduce((sum, place) => {
          for (let c = place * width; c < (place + 1) * width; c++)
            sum += gradient.data[c]! * sequence.embeddings.data[c]!;
          return sum;
        }, 0);
        const step = 3e-3;
        const slope = ((await log(positions, step)) - (await log(positions, -step))) / (2 * step);
        expect(Math.abs(product - slope)).toBeLessThan(0.02 * Math.abs(slope) + 2e-3);
      }
    } finally {
      await model.release();
    }
  });

  it('followed through latents, it is the slope of a run that makes its latents anew', async () => {
    const model = await Model.open(await openCheckpoint(bundledModel), 'cpu');
    try {
      const { config } = model.checkpoint;
      const { start } = config.tokens.latent!;
      const patches = [1, 2, 3, 4, 5, 6];
      const ids = [1, ...patches.map(() => config.tokens.imagePad), 5, 6, 7];
      const prompt: Prompt = { ids, ...(await model.embedPrompt(ids, [randomPicture(model.checkpoint, 1)])) };
      const width = config.text.hiddenSize;
      const spoken = { 0: 11, 1: start, 11: 30, 12: 40, 13: 50 } as Record<number, number>;
      /** The run with these patches, its latents, and log p of its last words. */
      const runWith = async (by: number) => {
        const data = prompt.embeddings.data.slice();
        for (const place of patches)
          for (let c = place * width; c < (place + 1) * width; c++) data[c]! *= 1 + by;
        const embeddings = { ...prompt.embeddings, data };
        const settings = { temperature: 0, topP: 1, repetitionPenalty: 1, seed: 0, maxTokens: 14 };
        const tokens: NewToken[] = [];
        const latents = new Map<number, Float32Array>();
        await generate(
          model,
          { ...prompt, embeddings, ...settings, latents: 'forced', force: spoken },
          {
            prefill: async () => undefined,
            token: async (token) => void tokens.push(token),
            fed: async ({ index }, { vector }) => void (vector && latents.set(index, vector)),
          },
        );
        const log = tokens.slice(11).reduce((sum, { id, logits }) => sum + logProbabilityOf(logits!, id), 0);
        return { log, latents, ids: tokens.map(({ id }) => id) };
      };
      const { latents, ids: added } = await runWith(0);
      expect(latents.size).toBe(config.latentSize);
      const blocks = [{ startToken: 1, latents: latents.size, endToken: 10 }];
      const sequence = await sequenceOf(model, prompt, { ids: added, latents, blocks });
      const words = [11, 12, 13].map((index) => ids.length + index);
      const follow = [...latents.keys()].map((index) => ids.length + index);
      const { gradient, followed } = await walkBack(model, sequence, words, { follow });
      const product = ({ data }: NumericArray): number =>
        patches.reduce((sum, place) => {
          for (let c = place * width; c < (place + 1) * width; c++)
            sum += data[c]! * sequence.embeddings.data[c]!;
          return sum;
        }, 0);
      const step = 3e-3;
      const slope = ((await runWith(step)).log - (await runWith(-step)).log) / (2 * step);
      const whole = product(followed);
      expect(Math.abs(whole - slope)).toBeLessThan(0.02 * Math.abs(slope) + 2e-3);
      // What goes through the latents is no rounding.
      expect(Math.abs(product(gradient) - slope)).toBeGreaterThan(10 * Math.abs(whole - slope));
    } finally {
      await model.release();
    }
  });
});
