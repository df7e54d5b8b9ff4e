/** A run read once more gives what the run itself gave, and what the reference's run gave. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { Answers } from '../../src/conformance/answers.ts';
import { largestDifference } from '../../src/conformance/check.ts';
import { generateCase, preparePrompt } from '../../src/conformance/inference.ts';
import { generate } from '../../src/inference/generate.ts';
import type { Fed, GenerationSettings, NewToken } from '../../src/inference/generation.ts';
import type { Prompt } from '../../src/inference/prompt.ts';
import { Model } from '../../src/inference/model.ts';
import {
  logProbabilities,
  replay,
  sequenceOf,
  type Continuation,
  type Sequence,
  type Wanted,
} from '../../src/inference/replay.ts';
import type { LatentIntervention } from '../../src/protocol/engine.ts';
import type { NumericArray } from '../../src/tensor/array.ts';
import { referenceAnswers } from '../fixtures/paths.ts';
import { DEVICES } from '../onnx/devices.ts';
import { randomPicture, smallCheckpoint } from '../train/smallModel.ts';

const small = await smallCheckpoint();

interface Collected {
  /** (T, C) */
  hidden: Float32Array;
  /** By query: (L, H, keys up to it), flat. */
  attention: Map<number, Float32Array>;
  /** By position: (L, C), flat. */
  states: Map<number, Float32Array>;
  /** Elements of attention in each part. */
  parts: number[];
}

async function collect(model: Model, sequence: Sequence, wanted: Wanted, most?: number): Promise<Collected> {
  const hidden: number[] = [];
  const attention = new Map<number, Float32Array>();
  const states = new Map<number, Float32Array>();
  const parts: number[] = [];
  for await (const part of replay(model, sequence, wanted, most)) {
    parts.push(part.attention.values.data.length);
    hidden.push(...part.hidden.data);
    const { queries, values } = part.attention;
    queries.forEach((query, i) => attention.set(query, rowsOf(values, 2, i, query + 1)));
    part.states.positions.forEach((place, i) => states.set(place, rowsOf(part.states.values, 1, i)));
  }
  return { hidden: Float32Array.from(hidden), attention, states, parts };
}

/** Row `i` of an axis, under all axes before it; of its last axis so many. */
function rowsOf({ shape, data }: NumericArray, axis: number, i: number, keep = shape.at(-1)!): Float32Array {
  const width = shape.at(-1)!;
  const count = shape[axis]!;
  const groups = data.length / width / count;
  const result: number[] = [];
  for (let group = 0; group < groups; group++) {
    const start = (group * count + i) * width;
    result.push(...data.subarray(start, start + keep));
  }
  return Float32Array.from(result);
}

describe.each(DEVICES)('a replay on $device', ({ device, available }) => {
  describe.runIf(available)('', () => {
    let model: Model;
    let prompt: Prompt;

    beforeAll(async () => {
      const checkpoint = small;
      const { tokens } = checkpoint.config;
      model = await Model.open(checkpoint, device);
      const ids = [1, ...new Array<number>(6).fill(tokens.imagePad), 5, 6, 7];
      prompt = { ids, ...(await model.embedPrompt(ids, [randomPicture(checkpoint, 1)])) };
    });
    afterAll(() => model?.release());

    async function run(intervention?: LatentIntervention, changes: Partial<GenerationSettings> = {}) {
      const { start } = model.checkpoint.config.tokens.latent!;
      const steps: { token: NewToken; fed?: Fed }[] = [];
      let blocks: Continuation['blocks'] = [];
      await generate(
        model,
        {
          ...SETTINGS,
          ...changes,
          ...prompt,
          ...(intervention && { intervention }),
          force: { 3: start, 14: start },
        },
        {
          prefill: async () => undefined,
          token: async (token, generation) => {
            steps.push({ token });
            blocks = generation.blocks.map((block) => ({ ...block }));
          },
          fed: async (_, fed) => {
            steps.at(-1)!.fed = fed;
          },
        },
      );
      const latents = new Map(steps.flatMap(({ fed }, i) => (fed?.vector ? [[i, fed.vector] as const] : [])));
      const continuation = {
        ids: steps.map(({ token }) => token.id),
        latents,
        blocks,
        emptied: () => intervention?.kind === 'markers',
      };
      return { steps, latents, blocks, sequence: await sequenceOf(model, prompt, continuation) };
    }

    it.each<[string, LatentIntervention | undefined, Partial<GenerationSettings>]>([
      ['as it was', undefined, {}],
      ['with free blocks', undefined, { latents: 'free' }],
      ['with zeros at its latents', { kind: 'zero' }, {}],
      ['with markers alone, whose words stand where they would have', { kind: 'markers' }, {}],
    ])('gives every attention and every probability of a run %s', async (_, intervention, changes) => {
      const { steps, sequence } = await run(intervention, changes);
      const first = prompt.ids.length;
      const wanted = new Set(steps.map((__, i) => first + i));
      const { attention, hidden } = await collect(model, sequence, { attention: wanted });
      const width = prompt.embeddings.shape[1]!;
      let compared = 0;
      for (const [i, { token, fed }] of steps.entries()) {
        if (fed !== undefined) {
          expect(largestDifference(attention.get(first + i)!, fed.attention.data)).toBeLessThan(NEAR);
          compared++;
        }
        if (token.probability === undefined) continue;
        const before = hidden.slice((first + i - 1) * width, (first + i) * width);
        const [log] = await logProbabilities(model, { shape: [1, width], data: before }, [token.id]);
        expect(Math.exp(log!)).toBeCloseTo(token.probability, 5);
      }
      expect(compared).toBe(steps.length - 1);
    });

    it("gives every latent of the model's own as the state before it", async () => {
      const { latents, sequence } = await run();
      const { hidden } = await collect(model, sequence, {});
      const width = prompt.embeddings.shape[1]!;
      expect(latents.size).toBe(6);
      for (const [i, vector] of latents) {
        const before = prompt.ids.length + i - 1;
        const state = hidden.subarray(before * width, (before + 1) * width);
        expect(largestDifference(state, vector)).toBeLessThan(NEAR);
      }
    });

    it('gives the same in whatever parts it is read, and the last state is the one that the norm makes hidden', async () => {
      const { sequence } = await run();
      const length = sequence.ids.length;
      const all = new Set(sequence.ids.keys());
      const whole = await collect(model, sequence, { states: all });
      const some = await collect(model, sequence, { states: new Set([2, length - 1]), end: length });
      expect([...some.states.keys()]).toEqual([2, length - 1]);
      for (const [place, values] of some.states) expect(values).toEqual(whole.states.get(place));
      const { hiddenSize, layers } = model.checkpoint.config.text;
      // The final norm keeps directions but for its weights: what it divides by is the length.
      const last = whole.states.get(5)!.subarray((layers - 1) * hiddenSize);
      const normed = whole.hidden.subarray(5 * hiddenSize, 6 * hiddenSize);
      const weights = normed.map((value, c) => value / last[c]!);
      const other = whole.states.get(9)!.subarray((layers - 1) * hiddenSize);
      const ratio = whole.hidden[9 * hiddenSize]! / (other[0]! * weights[0]!);
      const expected = other.map((value, c) => value * weights[c]! * ratio);
      const actual = whole.hidden.subarray(9 * hiddenSize, 10 * hiddenSize);
      expect(largestDifference(expected, actual)).toBeLessThan(1e-3);
    });

    it('holds no more attention at a time than it may, and gives the same', async () => {
      const { sequence } = await run();
      const wanted = { attention: new Set(sequence.ids.keys()) };
      const { layers, heads } = model.checkpoint.config.text;
      const most = 3 * layers * heads * sequence.ids.length;
      const whole = await collect(model, sequence, wanted);
      const bounded = await collect(model, sequence, wanted, most);
      expect([whole.parts.length, bounded.parts.length]).toEqual([1, Math.ceil(sequence.ids.length / 3)]);
      expect(Math.max(...bounded.parts)).toBeLessThanOrEqual(most);
      for (const [query, values] of whole.attention)
        expect(largestDifference(bounded.attention.get(query)!, values)).toBeLessThan(NEAR);
      expect((await collect(model, sequence, wanted, 1)).parts).toHaveLength(sequence.ids.length);
    });

    it('ends before a latent that nobody knows, and where its caller wants no more', async () => {
      const { latents, sequence, steps, blocks } = await run();
      const known = new Map([...latents].slice(0, 2));
      const ids = steps.map(({ token }) => token.id);
      const cut = await sequenceOf(model, prompt, { ids, latents: known, blocks });
      const third = [...latents.keys()][2]!;
      expect(cut.ids).toEqual(sequence.ids.slice(0, prompt.ids.length + third));
      const { hidden } = await collect(model, sequence, { end: 4 });
      expect(hidden).toHaveLength(4 * prompt.embeddings.shape[1]!);
    });
  });
});

const SETTINGS: GenerationSettings = {
  latents: 'forced',
  maxTokens: 30,
  temperature: 1,
  topP: 0.95,
  repetitionPenalty: 1,
  seed: 3,
};
/** Of float32, summed in another order; a GPU's own order differs more. */
const NEAR = 1e-4;

describe("the reference's own runs", () => {
  const answers = new Answers(referenceAnswers);

  it.each(['flat', 'tied'])('of %s: latents, attention and logits come out of a replay', async (name) => {
    const model = await Model.open(await openCheckpoint(join(referenceAnswers, name)), 'cpu');
    try {
      const cases = await answers.cases(`generate/${name}`, generateCase);
      for (const item of cases) {
        const expected = await answers.tensors(`generate/${name}/${item.name}.safetensors`);
        const given = await preparePrompt(answers, model, item);
        const vectors = expected.has('latents') ? await expected.float32('latents') : new Float32Array();
        const width = given.embeddings.shape[1]!;
        const latents = new Map(
          item.latent_positions.map((place, i) => [
            place - item.prompt_ids.length,
            vectors.subarray(i * width, (i + 1) * width),
          ]),
        );
        const sequence = await sequenceOf(model, given, {
          ids: item.new_ids,
          latents,
          blocks: item.blocks.map(({ start, latents: count, end }) => ({
            startToken: start,
            latents: count,
            endToken: end,
          })),
        });
        const wanted = new Set(item.latent_positions);
        const { hidden, attention } = await collect(model, sequence, { attention: wanted });
        const first = item.prompt_ids.length - 1;
        const states = hidden.slice(first * width, (first + item.new_ids.length) * width);
        const logits = await model.logits({ shape: [item.new_ids.length, width], data: states });
        expect(largestDifference(logits.data, await expected.float32('logits'))).toBeLessThan(1e-3);
        const maps = expected.has('latent_attention') ? await expected.float32('latent_attention') : [];
        const perLatent = maps.length / Math.max(1, item.latent_positions.length);
        const { layers, heads } = model.checkpoint.config.text;
        item.latent_positions.forEach((place, i) => {
          const before = hidden.subarray((place - 1) * width, place * width);
          expect(largestDifference(before, latents.get(place - item.prompt_ids.length)!)).toBeLessThan(1e-3);
          const padded = { shape: [layers, heads, 1, perLatent / layers / heads] };
          const stored = {
            ...padded,
            data: Float32Array.from(maps.slice(i * perLatent, (i + 1) * perLatent)),
          };
          expect(largestDifference(attention.get(place)!, rowsOf(stored, 2, 0, place + 1))).toBeLessThan(
            1e-4,
          );
        });
      }
      expect(cases.some(({ latent_positions }) => latent_positions.length > 0)).toBe(true);
    } finally {
      await model.release();
    }
  });
});
