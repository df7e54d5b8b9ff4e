/** The recipe on a small model. The reference's own numbers are checked by `ilvr conformance`. */

import { afterAll, describe, expect, it } from 'vitest';
import { largestDifference } from '../../src/conformance/check.ts';
import { normOf } from '../../src/train/optimiser.ts';
import type { TrainingSample } from '../../src/train/sequence.ts';
import {
  RELEASED_TRAINING,
  Trainer,
  type StepReport,
  type TrainingSettings,
} from '../../src/train/trainer.ts';
import { randomPicture, smallCheckpoint } from './smallModel.ts';

const checkpoint = await smallCheckpoint();
const opened: Trainer[] = [];
afterAll(() => Promise.all(opened.map((trainer) => trainer.release())));

async function open(settings: Partial<TrainingSettings> = {}): Promise<Trainer> {
  const options = { ...RELEASED_TRAINING, noise: 0, ...settings };
  const trainer = await Trainer.open(checkpoint, options, { provider: 'cpu' });
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
const OTHER = sample('right', 'up');
const LONG = sample('right, then right again, then right, then right once more and right', 'down');

async function learn(trainer: Trainer, samples: TrainingSample[]) {
  const lessons = [];
  for (const each of samples) lessons.push(await trainer.prepare(each));
  const { losses, gradient } = await trainer.learn(lessons);
  return { losses: losses.map(({ ce, alignment }) => [ce, alignment]), gradient: gradient.copy() };
}

describe.each([1, 2] as const)('stage %d', (stage) => {
  it('the gradient predicts how the loss changes along it', async () => {
    const trainer = await open({ stage, teacherDecay: 'frozen' });
    const { gradient } = await learn(trainer, [SHORT]);
    const { data } = trainer.student.parameters;
    const before = data.slice();
    const step = 1e-3 / normOf(gradient);
    const lossAt = async (distance: number): Promise<number> => {
      data.set(before.map((value, i) => value + distance * gradient.data[i]!));
      const { losses } = await learn(trainer, [SHORT]);
      return losses[0]![0]! + losses[0]![1]!;
    };
    const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
    expect(Math.abs(slope / normOf(gradient) ** 2 - 1)).toBeLessThan(1e-2);
  });

  it('two samples in one batch have the losses and gradient of one after another', async () => {
    const apart = await learn(await open({ stage, batchSize: 1 }), [SHORT, OTHER]);
    const together = await learn(await open({ stage, batchSize: 2 }), [SHORT, OTHER]);
    expect(largestDifference(together.losses.flat(), apart.losses.flat())).toBeLessThan(1e-5);
    expect(largestDifference(together.gradient.data, apart.gradient.data)).toBeLessThan(1e-5);
  });

  it('samples of different lengths keep their order', async () => {
    const trainer = await open({ stage, batchSize: 2 });
    const { losses } = await learn(trainer, [LONG, SHORT, OTHER]);
    const alone = [];
    for (const each of [LONG, SHORT, OTHER]) alone.push((await learn(trainer, [each])).losses[0]!);
    expect(largestDifference(losses.flat(), alone.flat())).toBeLessThan(1e-5);
  });

  it('a sample without latent blocks learns its text', async () => {
    const trainer = await open({ stage });
    const { losses } = await learn(trainer, [{ ...SHORT, plan: [{ type: 'text', content: 'down' }] }]);
    expect(losses[0]![0]).toBeGreaterThan(0);
    expect(losses[0]![1]).toBe(0);
  });
});

it('a block without a helper picture is an error in stage 1 and nothing special in stage 2', async () => {
  const bare: TrainingSample = { ...SHORT, plan: [{ type: 'latent' }, { type: 'text', content: 'down' }] };
  await expect((await open({ stage: 1 })).prepare(bare)).rejects.toThrow('no helper picture');
  expect((await learn(await open({ stage: 2 }), [bare])).losses[0]![0]).toBeGreaterThan(0);
});

it('steps on one sample lower both losses', async () => {
  const trainer = await open({ schedule: { shape: 'constant', peak: 1e-2, warmupSteps: 0, steps: 20 } });
  const reports: StepReport[] = [];
  for (let step = 0; step < 20; step++) reports.push(await trainer.step([SHORT]));
  const [first, last] = [reports[0]!.losses[0]!, reports.at(-1)!.losses[0]!];
  expect(last.ce).toBeLessThan(first.ce - 1);
  expect(last.alignment).toBeLessThan(first.alignment);
});

it('the same seed gives the same numbers, and another seed other noise', async () => {
  const alignments = [];
  for (const settings of [{ noise: 0.01 }, { noise: 0.01 }, { noise: 0.01, seed: 1 }, {}]) {
    const report = await (await open(settings)).step([SHORT]);
    alignments.push(report.losses[0]!.alignment);
  }
  expect(alignments[1]).toBe(alignments[0]);
  expect(new Set(alignments).size).toBe(3);
});

describe('the teacher', () => {
  const schedule = { shape: 'constant', peak: 1e-2, warmupSteps: 0, steps: 1 } as const;

  it('follows the student by its decay', async () => {
    const trainer = await open({ teacherDecay: 0.75, schedule });
    const before = trainer.teacher.parameters.data.slice();
    await trainer.step([SHORT]);
    const { data } = trainer.student.parameters;
    const expected = before.map((value, i) => 0.75 * value + 0.25 * data[i]!);
    expect(largestDifference(trainer.teacher.parameters.data, expected)).toBeLessThan(1e-7);
    expect(largestDifference(data, before)).toBeGreaterThan(1e-3);
  });

  it('stays where it was when frozen', async () => {
    const trainer = await open({ teacherDecay: 'frozen', schedule });
    const before = trainer.teacher.parameters.data.slice();
    await trainer.step([SHORT]);
    expect(largestDifference(trainer.teacher.parameters.data, before)).toBe(0);
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
