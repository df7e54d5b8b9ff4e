/** The recipe on a small model. The reference's own numbers are checked by `ilvr conformance`. */

import { afterAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../../src/checkpoint/checkpoint.ts';
import { largestDifference } from '../../../src/conformance/check.ts';
import type { Provider } from '../../../src/ort/session.ts';
import { Model } from '../../../src/inference/model.ts';
import { visible } from '../../../src/model/latentReach.ts';
import { onCpu, type Slot } from '../../../src/train/parameters/parameters.ts';
import { EXACT } from '../../../src/train/graphs/parts.ts';
import type { TrainingSample } from '../../../src/train/data/sequence.ts';
import { RELEASED_TRAINING, Trainer, type TrainingSettings } from '../../../src/train/recipe/trainer.ts';
import { DEVICES } from '../../onnx/devices.ts';
import { randomPicture, smallCheckpoint } from '../smallModel.ts';
import { stepperOf, type SampleStep } from './stepper.ts';

const checkpoint = await smallCheckpoint();
const opened: Trainer[] = [];
afterAll(() => Promise.all(opened.map((trainer) => trainer.release())));

async function open(settings: Partial<TrainingSettings> = {}, provider: Provider = 'cpu'): Promise<Trainer> {
  const options = { ...RELEASED_TRAINING, noise: 0, ...settings };
  const trainer = await Trainer.open(checkpoint, options, { provider });
  opened.push(trainer);
  return trainer;
}

/** A sample of two texts around a block. */
function sample(first: string, last: string): TrainingSample {
  return {
    question: '<image> Where?',
    pictures: [randomPicture(checkpoint, 1)],
    plan: [
      { type: 'text', content: first },
      { type: 'latent', helper: randomPicture(checkpoint, 2) },
      { type: 'text', content: last },
    ],
  };
}

const SHORT = sample('right', 'down');
/** Texts around several blocks. */
function interleaved(...texts: string[]): TrainingSample {
  const block = { type: 'latent', helper: randomPicture(checkpoint, 3) } as const;
  const plan = texts.flatMap((content, i) => [...(i > 0 ? [block] : []), { type: 'text' as const, content }]);
  return { ...sample('', ''), plan };
}

const LONG = sample('right, then right again, then right, then right once more and right', 'down');

/** Of different lengths and numbers of blocks: none, one, two beside each other, three. */
const MIXED = [
  { ...SHORT, plan: [{ type: 'text' as const, content: 'down' }] },
  LONG,
  interleaved('', '', 'left, then up and to the left again'),
  interleaved('go', 'right, down and down again', 'up', 'here'),
];

async function learn(trainer: Trainer, samples: TrainingSample[]) {
  const lessons = [];
  for (const each of samples) lessons.push(await trainer.prepare(each));
  const { losses, gradient } = await trainer.learn(lessons);
  return { losses: losses.map(({ ce, alignment }) => [ce, alignment]), gradient: onCpu(gradient).copy() };
}

describe.each([1, 2] as const)('stage %d', (stage) => {
  it('the gradient predicts how the loss changes along it', async () => {
    const trainer = await open({ stage, teacherDecay: 'frozen' });
    const { gradient } = await learn(trainer, [SHORT]);
    const { data } = onCpu(trainer.student.parameters);
    const before = data.slice();
    const step = 1e-3 / gradient.norm();
    const lossAt = async (distance: number): Promise<number> => {
      data.set(before.map((value, i) => value + distance * gradient.data[i]!));
      const { losses } = await learn(trainer, [SHORT]);
      return losses[0]![0]! + losses[0]![1]!;
    };
    const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
    expect(Math.abs(slope / gradient.norm() ** 2 - 1)).toBeLessThan(1e-2);
  });

  it('samples of different lengths and numbers of blocks have in one batch what they have alone', async () => {
    const apart = await learn(await open({ stage, batchSize: 1 }), MIXED);
    const together = await learn(await open({ stage, batchSize: 4 }), MIXED);
    expect(largestDifference(together.losses.flat(), apart.losses.flat())).toBeLessThan(1e-5);
    expect(largestDifference(together.gradient.data, apart.gradient.data)).toBeLessThan(1e-5);
  });

  it('rounding the lengths of graphs up changes neither losses nor gradient', async () => {
    const exact = await learn(await open({ stage, rounding: EXACT }), MIXED.slice(1));
    const rounded = await learn(await open({ stage, batchSize: 3 }), MIXED.slice(1));
    expect(largestDifference(rounded.losses.flat(), exact.losses.flat())).toBeLessThan(1e-5);
    expect(largestDifference(rounded.gradient.data, exact.gradient.data)).toBeLessThan(1e-5);
  });

  it('a picture that is no number spoils the loss of its own sample only', async () => {
    const picture = randomPicture(checkpoint, 1);
    picture.features.data[0] = NaN;
    const trainer = await open({ stage, batchSize: 3 });
    const { losses } = await learn(trainer, [LONG, { ...MIXED[0]!, pictures: [picture] }, SHORT]);
    expect(losses.map((each) => each.every(Number.isFinite))).toEqual([true, false, true]);
  });

  it('samples that do not fit into one batch keep their order', async () => {
    const trainer = await open({ stage, batchSize: 2 });
    const samples = MIXED.toReversed();
    const { losses } = await learn(trainer, samples);
    const alone = [];
    for (const each of samples) alone.push((await learn(trainer, [each])).losses[0]!);
    expect(largestDifference(losses.flat(), alone.flat())).toBeLessThan(1e-5);
  });

  it('a sample without latent blocks learns its text', async () => {
    const trainer = await open({ stage });
    const { losses } = await learn(trainer, [{ ...SHORT, plan: [{ type: 'text', content: 'down' }] }]);
    expect(losses[0]![0]).toBeGreaterThan(0);
    expect(losses[0]![1]).toBe(0);
  });
});

/** Each weight tensor is moved along its own gradient, which the loss must follow. */
it('the gradient through three self-fed blocks equals central differences, weight by weight', async () => {
  const trainer = await open({ stage: 2, batchSize: 2 });
  const lessons = await selfFedLessons(trainer);
  const gradient = await (await trainer.learn(lessons)).gradient.copy();
  const { parameters } = trainer.student;
  const lossAt = async (slot: Slot, distance: number): Promise<number> => {
    const [before, slope] = [(await parameters.read(slot)).slice(), await gradient.read(slot)];
    await parameters.write(
      slot,
      before.map((value, i) => value + distance * slope[i]!),
    );
    const { losses } = await trainer.learn(lessons);
    await parameters.write(slot, before);
    return (losses[0]!.ce + losses[1]!.ce) / 2;
  };
  for (const slot of parameters.slots) {
    const norm = Math.hypot(...(await gradient.read(slot)));
    // Float32 losses of about 6: small gradients need long steps, to be seen above the rounding.
    const step = Math.min(3e-2, 5e-3 / norm) / norm;
    const slope = ((await lossAt(slot, step)) - (await lossAt(slot, -step))) / (2 * step);
    expect(Math.abs(slope / norm ** 2 - 1), slot.name).toBeLessThan(2e-2);
  }
});

it.skipIf(!DEVICES.some(({ device, available }) => device === 'webgpu' && available))(
  'on a device the gradient through three self-fed blocks is the processor’s, weight by weight',
  async () => {
    const gradients = [];
    for (const device of ['cpu', 'webgpu'] as const) {
      const trainer = await open({ stage: 2, batchSize: 2 }, device);
      const { gradient } = await trainer.learn(await selfFedLessons(trainer));
      const { slots } = trainer.student.parameters;
      gradients.push(
        await Promise.all(
          slots.map(async (slot) => [slot.name, (await gradient.read(slot)).slice()] as const),
        ),
      );
    }
    const [here, there] = gradients;
    for (const [i, [name, expected]] of here!.entries()) {
      const difference = Math.hypot(...there![i]![1].map((value, k) => value - expected[k]!));
      expect(difference / Math.hypot(...expected), name).toBeLessThan(1e-3);
    }
  },
  // Software WebGPU on a machine with other work.
  900_000,
);

async function selfFedLessons(trainer: Trainer): Promise<Awaited<ReturnType<Trainer['prepare']>>[]> {
  return [await trainer.prepare(MIXED[1]!), await trainer.prepare(MIXED[3]!)];
}

it('a block without a helper picture is an error in stage 1 and nothing special in stage 2', async () => {
  const bare: TrainingSample = { ...SHORT, plan: [{ type: 'latent' }, { type: 'text', content: 'down' }] };
  await expect((await open({ stage: 1 })).prepare(bare)).rejects.toThrow('no helper picture');
  expect((await learn(await open({ stage: 2 }), [bare])).losses[0]![0]).toBeGreaterThan(0);
});

it('steps on one sample lower both losses', async () => {
  const trainer = await open({ schedule: { shape: 'constant', peak: 1e-2, warmupSteps: 0, steps: 20 } });
  const { step } = await stepperOf(trainer);
  const reports: SampleStep[] = [];
  for (let i = 0; i < 20; i++) reports.push(await step([SHORT]));
  const [first, last] = [reports[0]!.losses[0]!, reports.at(-1)!.losses[0]!];
  expect(last.ce).toBeLessThan(first.ce - 1);
  expect(last.alignment).toBeLessThan(first.alignment);
});

it('the same seed gives the same numbers, and another seed other noise', async () => {
  const alignments = [];
  for (const settings of [{ noise: 0.01 }, { noise: 0.01 }, { noise: 0.01, seed: 1 }, {}]) {
    const report = await (await stepperOf(await open(settings))).step([SHORT]);
    alignments.push(report.losses[0]!.alignment);
  }
  expect(alignments[1]).toBe(alignments[0]);
  expect(new Set(alignments).size).toBe(3);
});

it('a step whose gradient is longer than "skipAbove" is counted and moves nothing', async () => {
  const schedule = { shape: 'constant', peak: 1e-2, warmupSteps: 0, steps: 4 } as const;
  const moves = async (skipAbove: number): Promise<[boolean, number, number]> => {
    const trainer = await open({ schedule, skipAbove });
    const { data } = onCpu(trainer.student.parameters);
    const before = data.slice();
    const { state, step } = await stepperOf(trainer);
    const { learningRate, leftOut = false } = await step([SHORT]);
    expect(leftOut).toBe(learningRate === 0);
    const remembered = largestDifference(onCpu(state.optimiser.first).data, new Float32Array(data.length));
    expect(remembered > 0).toBe(learningRate > 0);
    return [largestDifference(data, before) > 0, learningRate, state.optimiser.steps];
  };
  expect(await moves(1e-6)).toEqual([false, 0, 1]);
  expect(await moves(1e6)).toEqual([true, 1e-2, 1]);
});

describe('the teacher', () => {
  const schedule = { shape: 'constant', peak: 1e-2, warmupSteps: 0, steps: 1 } as const;

  it('follows the student by its decay', async () => {
    const trainer = await open({ teacherDecay: 0.75, schedule });
    const [teacher, student] = [onCpu(trainer.teacher.parameters), onCpu(trainer.student.parameters)];
    const before = teacher.data.slice();
    await (await stepperOf(trainer)).step([SHORT]);
    const expected = before.map((value, i) => 0.75 * value + 0.25 * student.data[i]!);
    expect(largestDifference(teacher.data, expected)).toBeLessThan(1e-7);
    expect(largestDifference(student.data, before)).toBeGreaterThan(1e-3);
  });

  it('stays where it was when frozen', async () => {
    const trainer = await open({ teacherDecay: 'frozen', schedule });
    const { data } = onCpu(trainer.teacher.parameters);
    const before = data.slice();
    await (await stepperOf(trainer)).step([SHORT]);
    expect(largestDifference(data, before)).toBe(0);
  });

  it.each(['mean', 'random'] as const)(
    'gives the targets "%s" without reading the sequence, the same as with',
    async (targets) => {
      const trainer = await open({ targets });
      const lesson = await trainer.prepare(SHORT);
      const { blocks } = await trainer.teacher.supervise(lesson.sequence, SHORT);
      expect(lesson.targets).toEqual(blocks.map((block) => block.targets));
      expect(lesson.targets[0]!.length).toBeGreaterThan(0);
    },
  );

  it('gives no targets by "none": words alone are learnt, and helper pictures change nothing', async () => {
    const trainer = await open({ targets: 'none' });
    const lesson = await trainer.prepare(SHORT);
    expect(lesson.targets).toEqual(lesson.sequence.blocks.map(() => []));
    const [learnt] = (await trainer.learn([lesson], { hidden: false })).losses;
    const selected = await open();
    const fed = await selected.prepare(SHORT);
    const [other] = (await selected.learn([{ ...fed, targets: lesson.targets }], { hidden: false })).losses;
    expect(learnt!.alignment).toBe(0);
    expect(learnt!.ce).toBe(other!.ce);
    const [withTargets] = (await selected.learn([fed], { hidden: false })).losses;
    expect(withTargets!.ce).not.toBe(learnt!.ce);
  });

  it('selects at most K features, most similar first', async () => {
    const trainer = await open();
    const { sequence, targets } = await trainer.prepare(SHORT);
    const { blocks } = await trainer.teacher.supervise(sequence, SHORT);
    const { cosines, selected } = blocks[0]!;
    expect(targets[0]).toHaveLength(checkpoint.config.latentSize);
    expect(selected).toEqual(
      [...cosines.keys()]
        .toSorted((a, b) => cosines[b]! - cosines[a]!)
        .slice(0, checkpoint.config.latentSize),
    );
  });
});

describe.each(['only', 'none'] as const)('a control model of latent reach "%s"', (latentReach) => {
  const control: Checkpoint = {
    ...checkpoint,
    config: { ...checkpoint.config, latentReach },
  };
  const two = interleaved('go', 'right, down and down again', 'up');

  it('is learnt with the hidden states that inference has through its mask, step by step', async () => {
    const trainer = await Trainer.open(control, { ...RELEASED_TRAINING, stage: 2 }, { provider: 'cpu' });
    const lesson = await trainer.prepare(two);
    const [learnt] = (await trainer.learn([lesson])).losses;
    const { ids, positions, blocks: starts } = lesson.sequence;
    const blocks = starts.map((first) => ({ first, pads: 3, end: first + 3 }));
    const model = await Model.open(control, 'cpu');
    const cache = model.newCache();
    const sees = (query: number, key: number): boolean => visible(query, key, blocks, latentReach);
    const opening = ids.slice(0, starts[0]);
    const { embeddings } = await model.embedPrompt(opening, two.pictures);
    let { hidden } = await model.prefill(cache, embeddings, positions.slice(0, starts[0]));
    for (let i = starts[0]!; i < ids.length; i++) {
      const last = { shape: [1, 16], data: hidden.data.slice(-16) };
      const isLatent = starts.some((first) => i >= first && i < first + 3);
      const input = isLatent ? last : await model.embed([ids[i]!]);
      ({ hidden } = await model.step(cache, input, [positions[i]!], { sees }));
      expect(largestDifference(hidden.data.slice(-16), learnt!.hidden[i]!), `position ${i}`).toBeLessThan(
        1e-4,
      );
    }
    await Promise.all([trainer.release(), model.release()]);
  });
});

describe('stage 1 that feeds what the student thinks', () => {
  const EXACTLY = { rounding: { opening: 1, text: 1, past: 1 } };
  const two = interleaved('go', 'right, down and down again', 'up');

  it('is stage 2’s run after as many passes as there are latents, and not before', async () => {
    const ceAfter = async (settings: Partial<TrainingSettings>): Promise<number> => {
      const trainer = await open({ ...EXACTLY, ...settings });
      return (await trainer.learn([await trainer.prepare(two)])).losses[0]!.ce;
    };
    const self = await ceAfter({ stage: 2 });
    const latents = 2 * checkpoint.config.latentSize;
    expect(Math.abs((await ceAfter({ ownPasses: latents })) - self)).toBeLessThan(1e-4);
    expect(Math.abs((await ceAfter({})) - self)).toBeGreaterThan(1e-3);
  });

  it('feeds targets of the length that is asked for', async () => {
    const lengths = async (settings: Partial<TrainingSettings>): Promise<Float32Array[]> => {
      const trainer = await open({ ...EXACTLY, ...settings });
      return (await trainer.learn([await trainer.prepare(two)])).losses[0]!.hidden;
    };
    const [own, short, again] = [await lengths({}), await lengths({ targetLength: 0.1 }), await lengths({})];
    expect(again).toEqual(own);
    expect(short.at(-1)).not.toEqual(own.at(-1));
    expect(short[0]).toEqual(own[0]);
  });
});
