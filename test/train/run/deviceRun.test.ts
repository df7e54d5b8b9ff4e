/** Training on WebGPU, where weights, gradient and moments stay in buffers: against the CPU, and resumed. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { largestDifference } from '../../../src/conformance/check.ts';
import type { Provider, RuntimeTensor } from '../../../src/ort/session.ts';
import { RELEASED_LORA } from '../../../src/train/recipe/lora.ts';
import type { ParameterSet } from '../../../src/train/parameters/parameters.ts';
import { runTraining, type RunOptions } from '../../../src/train/run/run.ts';
import type { TrainingSample } from '../../../src/train/data/sequence.ts';
import { RELEASED_TRAINING, Trainer, type TrainingSettings } from '../../../src/train/recipe/trainer.ts';
import type { Metric } from '../../../src/watch/metrics.ts';
import { DEVICES } from '../../onnx/devices.ts';
import { writeConfig, writeSmallModel } from './fixtures.ts';
import { stepperOf, type Stepper } from '../recipe/stepper.ts';
import { randomPicture, smallCheckpoint } from '../smallModel.ts';

const checkpoint = await smallCheckpoint();
const schedule = { shape: 'constant', peak: 1e-2, warmupSteps: 0, steps: 5 } as const;
const RECIPE = { ...RELEASED_TRAINING, schedule, teacherDecay: 0.9, noise: 0, batchSize: 1 };

/** Released at the end: the runtime compiles shaders anew when no session is left, which takes most of the time. */
const opened: { release: () => Promise<void> }[] = [];
afterAll(() => Promise.all(opened.map((trainer) => trainer.release())));

async function open(settings: Partial<TrainingSettings>, provider: Provider): Promise<Trainer> {
  const trainer = await Trainer.open(checkpoint, { ...RECIPE, ...settings }, { provider });
  opened.push(trainer);
  return trainer;
}

function sample(answer: string): TrainingSample {
  return {
    question: '<image> Where?',
    pictures: [randomPicture(checkpoint, 1)],
    plan: [
      { type: 'text', content: answer },
      { type: 'latent', helper: randomPicture(checkpoint, 2) },
      { type: 'text', content: 'down' },
    ],
  };
}

async function stepperIn(trainer: Trainer): Promise<Stepper> {
  const stepper = await stepperOf(trainer);
  opened.push(stepper.state.optimiser);
  return stepper;
}

/** Losses and norms of steps of two samples, one after the other so that gradients are added. */
async function steps({ step }: Stepper, count: number): Promise<number[]> {
  const numbers: number[] = [];
  for (let i = 0; i < count; i++) {
    const { losses, gradientNorm } = await step([sample('right'), sample('left')]);
    numbers.push(gradientNorm, ...losses.flatMap(({ ce, alignment }) => [ce, alignment]));
  }
  return numbers;
}

/** But for biases of keys, whose gradient is nothing but rounding, which AdamW magnifies. */
async function valuesOf(set: ParameterSet): Promise<number[]> {
  const values: number[] = [];
  for (const slot of set.slots)
    if (!slot.name.endsWith('k_proj.bias')) values.push(...(await set.read(slot)));
  return values;
}

function run(config: string, options: Partial<RunOptions> = {}): Promise<unknown> {
  return runTraining(config, {
    provider: 'webgpu',
    signal: new AbortController().signal,
    onStart: () => undefined,
    onStep: () => undefined,
    ...options,
  });
}

function numbersOf(config: string): number[] {
  const lines = readFileSync(join(dirname(config), 'run', 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  const metrics = lines.map((line) => JSON.parse(line) as Metric);
  return metrics.flatMap(({ losses, gradientNorm }) => [...Object.values(losses), gradientNorm]);
}

describe.skipIf(!DEVICES[1]!.available)('on WebGPU', () => {
  const cases: [string, Partial<TrainingSettings>][] = [
    ['stage 1', { stage: 1 }],
    ['stage 2', { stage: 2 }],
    ['an adapter', { stage: 1, lora: { ...RELEASED_LORA, rank: 4, targets: ['q_proj', 'down_proj'] } }],
  ];
  it.each(cases)(
    'three steps of %s have the losses, norms and teacher of the CPU',
    async (_name, settings) => {
      const [cpu, gpu] = [await open(settings, 'cpu'), await open(settings, 'webgpu')];
      const numbers = largestDifference(
        await steps(await stepperIn(gpu), 3),
        await steps(await stepperIn(cpu), 3),
      );
      const [average, expected] = [
        await valuesOf(gpu.teacher.parameters),
        await valuesOf(cpu.teacher.parameters),
      ];
      expect(numbers).toBeLessThan(1e-4);
      expect(largestDifference(average, expected)).toBeLessThan(1e-4);
    },
  );

  it('five steps use the buffers that two did, and all are on the device', async () => {
    const trainer = await open({}, 'webgpu');
    const stepper = await stepperIn(trainer);
    const { student, teacher, gradient, optimiser } = stepper.state;
    const sets = [student, teacher!, await gradient.whole(), optimiser.first, optimiser.second];
    const held = (): RuntimeTensor[] => sets.flatMap((set) => Object.values(set.tensors()));
    await steps(stepper, 2);
    const before = held();
    await steps(stepper, 3);
    held().forEach((tensor, i) => expect(tensor).toBe(before[i]));
    expect(new Set(before.map(({ location }) => location))).toEqual(new Set(['gpu-buffer']));
  });

  it('a run goes on where it stopped', async () => {
    const data = { generator: { sizes: [3], form: 'latents' } };
    const settings = { model: await writeSmallModel(), data, learningRate: 1e-3, warmupSteps: 0, steps: 2 };
    const [whole, stopped] = [writeConfig(settings), writeConfig(settings)];
    await run(whole);
    await run(stopped, { lastStep: 1 });
    await run(stopped);
    expect(largestDifference(numbersOf(stopped), numbersOf(whole))).toBeLessThan(1e-4);
  });
});

it('several workers on WebGPU are refused, with a way out', async () => {
  const config = writeConfig({ model: 'none', workers: 2 });
  await expect(run(config)).rejects.toThrow(
    /Several workers cannot share a GPU: expected "workers": 1 .*, found 2, in .*train\.json/,
  );
});
