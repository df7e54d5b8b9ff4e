/** Training an adapter on a small model. PEFT's own view of what is saved: scripts/reference. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { seededNumbers } from '../../../src/base/random.ts';
import { openAdapter } from '../../../src/checkpoint/adapter/adapter.ts';
import { largestDifference } from '../../../src/conformance/check.ts';
import { LORA_TARGETS, maskNumbers, RELEASED_LORA } from '../../../src/train/recipe/lora.ts';
import { GradientSum } from '../../../src/train/parameters/gradientSum.ts';
import { onCpu } from '../../../src/train/parameters/parameters.ts';
import { saveState } from '../../../src/train/run/savedState.ts';
import type { TrainingSample } from '../../../src/train/data/sequence.ts';
import type { Lesson } from '../../../src/train/recipe/student.ts';
import { RELEASED_TRAINING, Trainer, type TrainingSettings } from '../../../src/train/recipe/trainer.ts';
import { randomPicture, smallCheckpoint } from '../smallModel.ts';
import { stepperOf } from './stepper.ts';

const checkpoint = await smallCheckpoint();
const opened: Trainer[] = [];
afterAll(() => Promise.all(opened.map((trainer) => trainer.release())));

const LORA = { ...RELEASED_LORA, rank: 3, alpha: 6, dropout: 0 };
const schedule = { shape: 'constant', peak: 1e-2, warmupSteps: 0, steps: 1 } as const;

async function open(settings: Partial<TrainingSettings> = { lora: LORA }): Promise<Trainer> {
  const all = { ...RELEASED_TRAINING, noise: 0, schedule, ...settings };
  const trainer = await Trainer.open(checkpoint, all, { provider: 'cpu' });
  opened.push(trainer);
  return trainer;
}

const SAMPLE: TrainingSample = {
  question: '<image> Where?',
  pictures: [randomPicture(checkpoint, 1)],
  plan: [
    { type: 'text', content: 'right' },
    { type: 'latent', helper: randomPicture(checkpoint, 2) },
    { type: 'text', content: 'down' },
  ],
};

/** B is zero at first, which would hide A. */
function perturb({ student }: Trainer): void {
  const random = seededNumbers(3);
  const { data } = onCpu(student.parameters);
  for (let i = 0; i < data.length; i++) data[i]! += random() - 0.5;
}

/** ce + alignment and its gradient; the same masks in every call. */
async function lossOf(trainer: Trainer, masks = (): (() => number) => () => 1, prepared?: Lesson) {
  const gradient = onCpu(trainer.student.parameters).zeros();
  const lesson = prepared ?? (await trainer.prepare(SAMPLE));
  const sum = new GradientSum(gradient);
  const settings = { scale: 1, noise: () => 0, dropout: masks(), hidden: false };
  const [losses] = await trainer.student.learn([lesson], settings, sum);
  return { loss: losses!.ce + losses!.alignment, gradient };
}

describe.each([1, 2] as const)('stage %d', (stage) => {
  it('begins with the losses of the base model, and a step moves them', async () => {
    const base = await lossOf(await open({ stage }));
    const trainer = await open({ stage, lora: LORA });
    expect((await lossOf(trainer)).loss).toBe(base.loss);
    await (await stepperOf(trainer)).step([SAMPLE]);
    expect((await lossOf(trainer)).loss).toBeLessThan(base.loss);
  });

  it.each([0, 0.3])(
    'every factor has the gradient of central differences, dropout %d',
    async (dropout) => {
      const trainer = await open({ stage, teacherDecay: 'frozen', lora: { ...LORA, dropout } });
      const masks = (): (() => number) => maskNumbers(dropout, seededNumbers(5));
      perturb(trainer);
      const lesson = await trainer.prepare(SAMPLE);
      const { gradient } = await lossOf(trainer, masks, lesson);
      const parameters = onCpu(trainer.student.parameters);
      const random = seededNumbers(4);
      for (const slot of parameters.slots) {
        const [values, slope] = [parameters.view(slot), gradient.view(slot)];
        const before = values.slice();
        const norm = Math.hypot(...slope);
        // Along the gradient, where float32 shows most, and to the side, where a missing part would show.
        const direction = slope.map((value) => value / norm + (random() - 0.5) / Math.sqrt(slope.length));
        const lossAt = async (distance: number): Promise<number> => {
          values.set(before.map((value, i) => value + distance * direction[i]!));
          return (await lossOf(trainer, masks, lesson)).loss;
        };
        const step = 3e-2;
        const found = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
        values.set(before);
        const expected = slope.reduce((sum, value, i) => sum + value * direction[i]!, 0);
        expect(norm).toBeGreaterThan(1e-5);
        expect(Math.abs(found - expected), slot.name).toBeLessThan(3e-2 * norm);
      }
    },
    60_000,
  );

  it('dropout is on the way into A alone: dropped altogether, the base model is left', async () => {
    const base = await lossOf(await open({ stage }));
    const trainer = await open({ stage, lora: { ...LORA, dropout: 0.5 }, teacherDecay: 'frozen' });
    perturb(trainer);
    expect((await lossOf(trainer, () => () => 0)).loss).toBe(base.loss);
    expect((await lossOf(trainer)).loss).not.toBe(base.loss);
  });
});

it('learns two factors for each target and nothing else', async () => {
  const lora = { ...LORA, targets: ['q_proj', 'down_proj'] as const };
  const { slots } = (await open({ lora })).student.parameters;
  expect(slots.filter(({ name }) => name.startsWith('model.layers.1.'))).toMatchObject([
    { name: 'model.layers.1.self_attn.q_proj.lora_A.weight', shape: [3, 16] },
    { name: 'model.layers.1.self_attn.q_proj.lora_B.weight', shape: [32, 3] },
    { name: 'model.layers.1.mlp.down_proj.lora_A.weight', shape: [3, 24] },
    { name: 'model.layers.1.mlp.down_proj.lora_B.weight', shape: [16, 3] },
  ]);
  expect(slots).toHaveLength(8);
});

it('A begins uniform within 1 / √in and by the seed, B at zero', async () => {
  const views = async (seed: number): Promise<Map<string, Float32Array>> => {
    const trainer = await open({ seed, lora: { ...LORA, rank: 64 } });
    const parameters = onCpu(trainer.student.parameters);
    return new Map(parameters.slots.map((slot) => [slot.name, parameters.view(slot)]));
  };
  const [one, again, two] = [await views(1), await views(1), await views(2)];
  const down = 'model.layers.0.mlp.down_proj';
  const a = one.get(`${down}.lora_A.weight`)!;
  expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(24));
  // The variance of a uniform distribution within ±b is b² / 3.
  expect(a.reduce((sum, x) => sum + x * x, 0) / a.length).toBeCloseTo(1 / 24 / 3, 3);
  expect(Math.max(...one.get(`${down}.lora_B.weight`)!.map(Math.abs))).toBe(0);
  expect(again.get(`${down}.lora_A.weight`)).toEqual(a);
  expect(two.get(`${down}.lora_A.weight`)).not.toEqual(a);
});

it('masks are 0 as often as the rate says and keep the mean', () => {
  const next = maskNumbers(0.25, seededNumbers(1));
  const values = Array.from({ length: 20_000 }, next);
  expect(new Set(values)).toEqual(new Set([0, 4 / 3]));
  expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(1, 1);
});

describe('the teacher', () => {
  it('averages the factors of the student', async () => {
    const trainer = await open({ lora: LORA, teacherDecay: 0.75 });
    const [teacher, student] = [onCpu(trainer.teacher.parameters), onCpu(trainer.student.parameters)];
    const before = teacher.data.slice();
    await (await stepperOf(trainer)).step([SAMPLE]);
    const expected = before.map((value, i) => 0.75 * value + 0.25 * student.data[i]!);
    expect(largestDifference(teacher.data, expected)).toBeLessThan(1e-7);
    expect(teacher.norm()).not.toBe(0);
  });

  it('is the base model when frozen, and drops nothing', async () => {
    const [base, trainer] = [
      await open({}),
      await open({ lora: { ...LORA, dropout: 0.5 }, teacherDecay: 'frozen' }),
    ];
    await (await stepperOf(trainer)).step([SAMPLE]);
    const [expected, found] = [await base.prepare(SAMPLE), await trainer.prepare(SAMPLE)];
    expect(found.targets).toEqual(expected.targets);
    const context = async ({ teacher }: Trainer) => (await teacher.supervise(found.sequence, SAMPLE)).context;
    expect(await context(trainer)).toEqual(await context(base));
  });
});

it('what is saved opens as an adapter of these settings and holds no weight of the base', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ilvr-lora-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const trainer = await open();
  const { state } = await stepperOf(trainer);
  await saveState(join(folder, 'step-0'), { ...state, lora: LORA }, checkpoint);
  const { rank, alpha, additions } = await openAdapter(join(folder, 'step-0'));
  expect([rank, alpha, additions.size]).toEqual([3, 6, LORA_TARGETS.length * 2]);
  expect([...additions.values()].every(({ scale }) => scale === 2)).toBe(true);
});
