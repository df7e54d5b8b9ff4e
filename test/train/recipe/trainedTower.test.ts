/** Stages 1 and 2 with the vision tower trained, on a small model. */

import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { seededNumbers } from '../../../src/base/random.ts';
import { largestDifference } from '../../../src/conformance/check.ts';
import { Model } from '../../../src/inference/model.ts';
import { pixelsPerPatch } from '../../../src/model/vision.ts';
import type { Provider } from '../../../src/ort/session.ts';
import {
  onCpu,
  ParameterArray,
  type ParameterSet,
  type Slot,
} from '../../../src/train/parameters/parameters.ts';
import type { AnySample, Patches, TrainingSample } from '../../../src/train/data/sequence.ts';
import type { Lesson } from '../../../src/train/recipe/student.ts';
import { RELEASED_TRAINING, Trainer, type TrainingSettings } from '../../../src/train/recipe/trainer.ts';
import { DEVICES } from '../../onnx/devices.ts';
import { smallCheckpoint } from '../smallModel.ts';
import { stepperOf } from './stepper.ts';

/** Windows of 2 × 2 merged tokens in the first block, all of the picture in the second. */
const SMALL_TOWER = {
  depth: 2,
  hiddenSize: 16,
  heads: 2,
  feedForwardSize: 24,
  outputSize: 16,
  windowSize: 56,
  fullAttentionBlocks: [1],
};

const { config: full, ...rest } = await smallCheckpoint();
const config = { ...full, vision: { ...full.vision, ...SMALL_TOWER } };
const { file } = rest.weights.get('model.norm.weight', [16]);
const checkpoint = { ...rest, config, weights: { ...rest.weights, root: path.dirname(file) } };
const opened: { release: () => Promise<void> }[] = [];
afterAll(() => Promise.all(opened.map((each) => each.release())));

async function open(settings: Partial<TrainingSettings>, provider: Provider = 'cpu'): Promise<Trainer> {
  const all = { ...RELEASED_TRAINING, vision: 'trained' as const, noise: 0, ...settings };
  const trainer = await Trainer.open(checkpoint, all, { provider });
  opened.push(trainer);
  return trainer;
}

const isTower = ({ name }: Slot): boolean => name.startsWith('visual.');

/** The slots that are wanted, which stand beside each other, in the same memory. */
function part(set: ParameterSet, wanted: (slot: Slot) => boolean): ParameterArray {
  const slots = set.slots.filter(wanted);
  const start = slots[0]!.offset;
  const end = slots.at(-1)!.offset + slots.at(-1)!.length;
  const moved = slots.map((slot) => ({ ...slot, offset: slot.offset - start }));
  return new ParameterArray(moved, onCpu(set).data.subarray(start, end));
}

function picture(seed: number, grid = { height: 4, width: 6 }): Patches {
  const random = seededNumbers(seed);
  const count = grid.height * grid.width * pixelsPerPatch(config.vision);
  return { grid, pixels: Float32Array.from({ length: count }, () => random() - 0.5) };
}

const SMALL = { height: 4, width: 4 };

function sample(
  seed: number,
  grids: (typeof SMALL | undefined)[],
  ...texts: string[]
): TrainingSample<Patches> {
  const block = { type: 'latent', helper: picture(seed + 50) } as const;
  return {
    question: `${'<image>'.repeat(grids.length)} Where?`,
    pictures: grids.map((grid, i) => picture(seed + i, grid)),
    plan: texts.flatMap((content, i) => [...(i > 0 ? [block] : []), { type: 'text' as const, content }]),
  };
}

/** One, two, none and three pictures, of two sizes; two, one and no blocks. */
const SAMPLES = [
  sample(1, [undefined], 'right', 'down, then down again', 'here'),
  sample(2, [SMALL, undefined], 'go', 'up and up'),
  sample(3, [], 'left', 'down'),
  sample(4, [undefined, SMALL, undefined], 'stay'),
];

/** Losses and a copy of the mean gradient. */
async function learn(trainer: Trainer, samples: readonly AnySample[]) {
  const lessons = [];
  for (const each of samples) lessons.push(await trainer.prepare(each));
  const { losses, gradient } = await trainer.learn(lessons);
  return {
    lessons,
    losses: losses.flatMap(({ ce, alignment }) => [ce, alignment]),
    gradient: await gradient.copy(),
  };
}

async function lossOf(trainer: Trainer, lessons: readonly Lesson[]): Promise<number> {
  const { losses } = await trainer.learn(lessons);
  return losses.reduce((sum, { ce, alignment }) => sum + ce + alignment, 0) / losses.length;
}

/** Of each kind one, in both blocks. */
const CHECKED = [
  'visual.patch_embed.proj.weight',
  'visual.blocks.0.attn.qkv.weight',
  'visual.blocks.0.norm2.weight',
  'visual.blocks.1.attn.proj.bias',
  'visual.blocks.1.mlp.down_proj.weight',
  'visual.merger.ln_q.weight',
  'visual.merger.mlp.0.weight',
  'visual.merger.mlp.2.bias',
];

describe.each([1, 2] as const)('stage %d', (stage) => {
  it('weights of the tower have the gradient of central differences', async () => {
    const trainer = await open({ stage, batchSize: 2, teacherDecay: 'frozen' });
    const { lessons, gradient } = await learn(trainer, SAMPLES.slice(0, 2));
    const parameters = onCpu(trainer.student.parameters);
    const random = seededNumbers(4);
    for (const name of CHECKED) {
      const slot = parameters.slots.find((each) => each.name === name)!;
      const [values, slope] = [parameters.view(slot), onCpu(gradient).view(slot)];
      const before = values.slice();
      const norm = Math.hypot(...slope);
      // Along the gradient, where float32 shows most, and to the side, where a missing part would show.
      const direction = slope.map((value) => value / norm + (random() - 0.5) / Math.sqrt(slope.length));
      const lossAt = async (distance: number): Promise<number> => {
        values.set(before.map((value, i) => value + distance * direction[i]!));
        return lossOf(trainer, lessons);
      };
      // Float32 losses of about 6: small gradients need long steps, to be seen above the rounding.
      const step = Math.min(5e-2, 1e-3 / norm);
      const found = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      values.set(before);
      const expected = slope.reduce((sum, value, i) => sum + value * direction[i]!, 0);
      expect(norm, name).toBeGreaterThan(1e-5);
      expect(Math.abs(found - expected), name).toBeLessThan(3e-2 * norm);
    }
  }, 60_000);

  it('begins with the losses of the frozen tower, whose features inference has too', async () => {
    const model = await Model.open(checkpoint, 'cpu');
    opened.push(model);
    const see = async ({ grid, pixels }: Patches) => ({
      grid,
      features: await model.encodeImage(pixels, grid),
    });
    const trained = await learn(await open({ stage }), SAMPLES);
    const frozen = await open({ stage, vision: 'frozen' });
    const seen: TrainingSample[] = [];
    for (const { question, pictures, plan } of SAMPLES) {
      const steps = plan.map(async (step) =>
        step.type === 'text' ? step : { type: step.type, helper: await see(step.helper!) },
      );
      seen.push({
        question,
        pictures: await Promise.all(pictures.map(see)),
        plan: await Promise.all(steps),
      });
    }
    const { losses, gradient } = await learn(frozen, seen);
    expect(largestDifference(trained.losses, losses)).toBeLessThan(1e-4);
    const language = part(trained.gradient, (slot) => !isTower(slot));
    expect(language.slots.map(({ name }) => name)).toEqual(gradient.slots.map(({ name }) => name));
    expect(largestDifference(language.data, onCpu(gradient).data)).toBeLessThan(1e-3);
  });

  it('samples with pictures of any number and sizes have in one batch what they have alone', async () => {
    const apart = await learn(await open({ stage, batchSize: 1 }), SAMPLES);
    const together = await learn(await open({ stage, batchSize: 4 }), SAMPLES);
    expect(largestDifference(together.losses, apart.losses)).toBeLessThan(1e-5);
    expect(largestDifference(onCpu(together.gradient).data, onCpu(apart.gradient).data)).toBeLessThan(1e-5);
    // Nothing of the last call is left where there is no picture.
    const none = await learn(await open({ stage, batchSize: 4 }), SAMPLES.slice(2, 3));
    expect(part(none.gradient, isTower).norm()).toBe(0);
  });
});

for (const { device, available } of DEVICES) {
  it.skipIf(!available)(
    `the gradient of the tower predicts how the loss changes along it, on ${device}`,
    async () => {
      const trainer = await open({ teacherDecay: 'frozen' }, device);
      const { lessons, gradient } = await learn(trainer, [sample(2, [SMALL], 'go', 'up')]);
      const { parameters } = trainer.student;
      const slots = parameters.slots.filter(isTower);
      const norms: number[] = [];
      for (const slot of slots) norms.push(Math.hypot(...(await gradient.read(slot))));
      const norm = Math.hypot(...norms);
      const lossAfter = async (distance: number): Promise<number> => {
        await parameters.blend(gradient, 1, distance / norm, slots);
        return lossOf(trainer, lessons);
      };
      const found = (-(await lossAfter(-5e-3)) + (await lossAfter(1e-2))) / 1e-2;
      expect(Math.abs(found / norm - 1)).toBeLessThan(1e-2);
    },
    300_000,
  );
}

it('steps move the tower, lower the loss, and in stage 1 the teacher follows in the tower as well', async () => {
  const schedule = { shape: 'constant', peak: 1e-2, warmupSteps: 0, steps: 4 } as const;
  const trainer = await open({ teacherDecay: 0.75, schedule, batchSize: 4 });
  const { student, teacher } = trainer;
  const tower = [student, teacher].map(({ parameters }) => part(parameters, isTower));
  const before = tower[1]!.data.slice();
  const { step } = await stepperOf(trainer);
  const first = await step(SAMPLES);
  const expected = before.map((value, i) => 0.75 * value + 0.25 * tower[0]!.data[i]!);
  expect(largestDifference(tower[1]!.data, expected)).toBeLessThan(1e-7);
  expect(largestDifference(tower[0]!.data, before)).toBeGreaterThan(1e-3);
  // The teacher selects from what its own tower sees.
  const [one] = SAMPLES;
  const lesson = await trainer.prepare(one!);
  const { blocks } = await trainer.teacher.supervise(lesson.sequence, one!);
  tower[1]!.data.set(before);
  const earlier = await trainer.teacher.supervise(lesson.sequence, one!);
  expect(largestDifference(blocks[0]!.features.data, earlier.blocks[0]!.features.data)).toBeGreaterThan(1e-4);
  for (let i = 1; i < 4; i++) await step(SAMPLES);
  const last = await step(SAMPLES);
  const total = ({ losses }: typeof first): number => losses.reduce((sum, { ce }) => sum + ce, 0);
  expect(total(last)).toBeLessThan(total(first) - 0.3);
});

it('pictures in the form of the other tower are a defect that is told', async () => {
  const frozen = await open({ vision: 'frozen', stage: 2 });
  await expect(learn(frozen, SAMPLES.slice(0, 1))).rejects.toThrow('no tower is trained');
});
