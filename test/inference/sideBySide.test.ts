/** Variants of a run, read together: each must be what it is alone, within the rounding of products of more rows. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import {
  Generation,
  type GenerationSettings,
  type Step,
  type StepInput,
} from '../../src/inference/generation.ts';
import { Model } from '../../src/inference/model.ts';
import type { Prompt } from '../../src/inference/prompt.ts';
import { DEVICES } from '../onnx/devices.ts';
import { randomPicture, smallCheckpoint } from '../train/smallModel.ts';

const checkpoint = await smallCheckpoint();
const { tokens, latentSize: K } = checkpoint.config;
const [START, BEFORE, STEPS] = [3, 2, 20];
const SETTINGS: GenerationSettings = {
  latents: 'forced',
  maxTokens: 100,
  temperature: 1,
  topP: 0.95,
  repetitionPenalty: 1.1,
  seed: 3,
};
/** Largest difference of a logit, a state or a share of attention; the numbers are of the order of 1. */
const ROUNDING = 2e-6;

const usual = (run: Generation): StepInput => ({
  ban: checkpoint.generation.eosIds,
  ...(run.count % 12 === START && { force: tokens.latent!.start }),
});

/** What is done with each variant. */
const VARIANTS: ((run: Generation) => StepInput)[] = [
  usual,
  (run) => ({ ...usual(run), intervention: { kind: 'zero' } }),
  (run) => ({ ...usual(run), intervention: { kind: 'noise', sample: 1 } }),
  (run) => ({ ...usual(run), intervention: { kind: 'markers' } }),
  // It draws from other numbers: see `beside` below.
  usual,
];
const LAST = VARIANTS.length - 1;

const CASES = DEVICES.flatMap(({ device, available }) =>
  (device === 'cpu' ? ([undefined, 'only', 'none'] as const) : (['only'] as const)).map((reach) => ({
    device,
    available,
    reach,
  })),
);

describe.each(CASES)(
  'variants side by side on $device, latents reach: $reach',
  ({ device, available, reach }) => {
    describe.runIf(available)('', () => {
      let model: Model;
      let start: Generation;
      /** By itself, one run of the decoder after the other. */
      let alone: Step[][];
      const open: Generation[] = [];
      const keep = (run: Generation): Generation => {
        open.push(run);
        return run;
      };

      beforeAll(async () => {
        const { latentReach: _, ...config } = checkpoint.config;
        const own: Checkpoint = {
          ...checkpoint,
          config: { ...config, ...(reach !== undefined && { latentReach: reach }) },
        };
        model = await Model.open(own, device);
        const ids = [1, ...new Array<number>(6).fill(tokens.imagePad), 5, 6, 7];
        const prompt: Prompt = { ids, ...(await model.embedPrompt(ids, [randomPicture(checkpoint, 1)])) };
        start = keep(await Generation.begin(model, prompt, SETTINGS));
        for (let i = 0; i < BEFORE; i++) await start.step(usual(start));
        alone = [];
        for (const [i, input] of VARIANTS.entries()) {
          const run = keep(start.fork(i === LAST ? { seed: 9 } : {}));
          const steps: Step[] = [];
          for (let step = 0; step < STEPS; step++) steps.push(await run.step(input(run)));
          alone.push(steps);
        }
      });
      afterAll(async () => {
        for (const run of open) run.dispose();
        await model?.release();
      });

      it('decide the same and give the same numbers as by themselves', async () => {
        const rows = VARIANTS.map((_, i) => keep(start.beside(i === LAST ? { seed: 9 } : {})));
        const together = await steps(rows, STEPS);
        together.forEach((own, i) => expectSame(own, alone[i]!, `variant ${i}`));
        expect(rows[3]!.blocks[0]).toMatchObject({ latents: 0 });
        expect(rows[0]!.blocks[0]).toMatchObject({ latents: K });
        // Equal numbers would say nothing if all variants were alike, as they are where nothing sees the latents.
        const finals = together.map((own) => own.at(-1)!.token.logits!);
        if (reach === 'none') expect(distance(finals[0]!, finals[1]!)).toBeLessThan(ROUNDING);
        else {
          finals.forEach((logits, i) => {
            for (const other of finals.slice(i + 1))
              expect(distance(logits, other)).toBeGreaterThan(100 * ROUNDING);
          });
        }
      });

      it('may begin where another is, end before it, and go on alone', async () => {
        const [first, second] = [keep(start.beside()), keep(start.beside())];
        const input = [VARIANTS[0]!, VARIANTS[1]!];
        const before = await steps([first, second], 5, input);
        // In the middle of a block.
        const third = keep(second.beside());
        const middle = await steps([third, first, second], 4, [input[1]!, ...input]);
        expectSame([...before[1]!, ...middle[0]!], alone[1]!.slice(0, 9), 'a copy in a block');
        first.dispose();
        const rest = await steps([third], 6, [input[1]!]);
        expectSame([...before[1]!, ...middle[0]!, ...rest[0]!], alone[1]!.slice(0, 15), 'what is left');
        const fork = keep(third.fork());
        expectSame(await one(fork, 2, input[1]!), alone[1]!.slice(15, 17), 'a fork with a cache of its own');
        // Of caches of their own: together all the same, each by itself.
        const others = [keep(start.fork()), keep(start.fork())];
        const apart = await steps(others, 6, input);
        apart.forEach((own, i) => expectSame(own, alone[i]!.slice(0, 6), 'apart'));
        third.dispose();
        await expect(third.step()).rejects.toThrow(/disposed/);
      });
    });
  },
);

async function one(run: Generation, count: number, input: (run: Generation) => StepInput): Promise<Step[]> {
  return (await steps([run], count, [input]))[0]!;
}

/** The steps of each run. */
async function steps(
  runs: readonly Generation[],
  count: number,
  inputs: readonly ((run: Generation) => StepInput)[] = VARIANTS,
): Promise<Step[][]> {
  const done = runs.map((): Step[] => []);
  for (let i = 0; i < count; i++) {
    const made = await Generation.stepAll(
      runs,
      runs.map((run, row) => inputs[row]!(run)),
    );
    made.forEach((step, row) => done[row]!.push(step));
  }
  return done;
}

function expectSame(found: readonly Step[], expected: readonly Step[], what: string): void {
  expect(
    found.map(({ token }) => token.id),
    what,
  ).toEqual(expected.map(({ token }) => token.id));
  found.forEach(({ token, fed }, i) => {
    const { token: own, fed: ownFed } = expected[i]!;
    expect({ ...token, logits: 0, probability: 0 }, what).toEqual({ ...own, logits: 0, probability: 0 });
    expect(token.logits === undefined, what).toBe(own.logits === undefined);
    if (own.logits !== undefined) expect(distance(token.logits!, own.logits), what).toBeLessThan(ROUNDING);
    expect(fed!.attention.shape, what).toEqual(ownFed!.attention.shape);
    expect(distance(fed!.attention.data, ownFed!.attention.data), what).toBeLessThan(ROUNDING);
    expect(fed!.vector === undefined, what).toBe(ownFed!.vector === undefined);
    if (ownFed!.vector !== undefined)
      expect(distance(fed!.vector!, ownFed!.vector), what).toBeLessThan(ROUNDING);
  });
}

function distance(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}
