import { afterAll, describe, expect, it } from 'vitest';
import { seededNumbers } from '../../../src/base/random.ts';
import { largestDifference } from '../../../src/conformance/check.ts';
import { AdamW, clipFactor, RELEASED_ADAMW } from '../../../src/train/parameters/optimiser.ts';
import { resident } from '../../../src/train/parameters/buffers.ts';
import { ParameterArray, type ParameterSet } from '../../../src/train/parameters/parameters.ts';
import { learningRate } from '../../../src/train/parameters/schedule.ts';
import { DEVICES } from '../../onnx/devices.ts';

/** A matrix of two weights and a bias. */
const SLOTS = [
  { name: 'weight', shape: [1, 2], offset: 0, length: 2 },
  { name: 'bias', shape: [1], offset: 2, length: 1 },
];
const numbers = (...values: number[]): ParameterArray => new ParameterArray(SLOTS, Float32Array.from(values));

async function valuesOf(set: ParameterSet): Promise<number[]> {
  const values: number[] = [];
  for (const slot of set.slots) values.push(...(await set.read(slot)));
  return values;
}

describe.each(DEVICES.filter(({ available }) => available))('on $device', ({ device }) => {
  const opened: { release(): void | Promise<void> }[] = [];
  afterAll(async () => {
    for (const each of opened) await each.release();
  });

  async function there(values: ParameterArray): Promise<ParameterSet> {
    const set = await resident(values, { provider: device });
    opened.push(set);
    return set;
  }

  async function optimiserOf(parameters: ParameterSet, settings = RELEASED_ADAMW): Promise<AdamW> {
    const optimiser = await AdamW.open(parameters, settings);
    opened.push(optimiser);
    return optimiser;
  }

  it('AdamW first moves every weight by the learning rate, against its gradient', async () => {
    const parameters = await there(numbers(1, 1, 1));
    const optimiser = await optimiserOf(parameters, { ...RELEASED_ADAMW, weightDecay: 0 });
    await optimiser.update(await there(numbers(5, -0.01, 2)), 0.1);
    const moved = await valuesOf(parameters);
    [0.9, 1.1, 0.9].forEach((value, i) => expect(moved[i]).toBeCloseTo(value, 5));
  });

  it('AdamW decays matrices and spares biases and norms', async () => {
    const parameters = await there(numbers(1, 1, 1));
    await (await optimiserOf(parameters)).update(await there(numbers(0, 0, 0)), 0.5);
    const moved = await valuesOf(parameters);
    [0.995, 0.995, 1].forEach((value, i) => expect(moved[i]).toBeCloseTo(value, 6));
  });

  it('AdamW does nothing at learning rate 0 but remember the gradient, as it is scaled', async () => {
    const parameters = await there(numbers(1, 2, 3));
    const optimiser = await optimiserOf(parameters);
    await optimiser.update(await there(numbers(2, 2, 2)), 0, 0.5);
    expect(await valuesOf(parameters)).toEqual([1, 2, 3]);
    (await valuesOf(optimiser.first)).forEach((value) => expect(value).toBeCloseTo(0.1, 7));
    (await valuesOf(optimiser.second)).forEach((value) => expect(value).toBeCloseTo(0.001, 9));
  });

  it('sets are added, averaged and copied, and a copy is no longer touched', async () => {
    const [own, other] = [await there(numbers(1, 2, 3)), await there(numbers(10, 20, 30))];
    const copy = await own.copy();
    opened.push(copy);
    await own.blend(other, 1, 1);
    expect(await valuesOf(own)).toEqual([11, 22, 33]);
    await own.blend(other, 0.5, 0.25);
    expect(await valuesOf(own)).toEqual([8, 16, 24]);
    expect(await valuesOf(copy)).toEqual([1, 2, 3]);
    expect(await valuesOf(other)).toEqual([10, 20, 30]);
  });

  it('the norm is over all tensors, and clipping shortens to the limit what is longer', async () => {
    const norm = await (await there(numbers(3, 0, 4))).norm();
    expect(norm).toBeCloseTo(5, 5);
    expect(norm * clipFactor(norm, 1)).toBeCloseTo(1, 5);
    expect(clipFactor(await (await there(numbers(0.3, 0, 0.4))).norm(), 1)).toBe(1);
    expect(await (await there(numbers(1, NaN, 1))).norm()).toBeNaN();
  });
});

describe.skipIf(!DEVICES[1]!.available)('buffers of the GPU', () => {
  const random = seededNumbers(1);
  // The last is a kernel of four axes, which graphs take as a matrix.
  const shapes = [[64, 48], [48], [4, 2, 3, 5]];
  let offset = 0;
  const slots = shapes.map((shape, i) => {
    const length = shape.reduce((product, each) => product * each);
    offset += length;
    return { name: `${i}`, shape, offset: offset - length, length };
  });
  const drawn = (size: number): ParameterArray =>
    new ParameterArray(
      slots,
      Float32Array.from({ length: offset }, () => size * (random() - 0.5)),
    );

  it('give after six updates what the CPU gives, and are the same buffers then', async () => {
    const runtime = { provider: 'webgpu' } as const;
    const onCpu = drawn(1);
    const onGpu = await resident(onCpu.copy(), runtime);
    const optimisers = [await AdamW.open(onCpu, RELEASED_ADAMW), await AdamW.open(onGpu, RELEASED_ADAMW)];
    const sets = [onGpu, optimisers[1]!.first, optimisers[1]!.second];
    const buffers = (): unknown[] => sets.flatMap((set) => Object.values(set.tensors()));
    const before = buffers();
    for (let step = 0; step < 6; step++) {
      const gradient = drawn(1e-2);
      const there = await resident(gradient, runtime);
      expect(Math.abs((await there.norm()) / gradient.norm() - 1)).toBeLessThan(1e-6);
      await optimisers[0]!.update(gradient, 1e-2, 0.7);
      await optimisers[1]!.update(there, 1e-2, 0.7);
      await there.release();
    }
    expect(largestDifference(await valuesOf(onGpu), onCpu.data)).toBeLessThan(1e-6);
    buffers().forEach((buffer, i) => expect(buffer).toBe(before[i]));
    for (const buffer of before) expect(buffer).toHaveProperty('location', 'gpu-buffer');
    await optimisers[1]!.release();
    await onGpu.release();
  });

  it('take no more memory after twelve updates than after two', async () => {
    // 4 MB each: a step that left its results behind would take 12 MB of this process, whose memory the software GPU uses.
    const wide = [{ name: 'wide', shape: [1024, 1024], offset: 0, length: 2 ** 20 }];
    const parameters = await resident(new ParameterArray(wide), { provider: 'webgpu' });
    const optimiser = await AdamW.open(parameters, RELEASED_ADAMW);
    const gradient = await parameters.zeros();
    const used: number[] = [];
    for (let step = 1; step <= 12; step++) {
      await optimiser.update(gradient, 1e-3);
      if (step === 2 || step === 12) used.push(process.memoryUsage().rss);
    }
    expect(used[1]! - used[0]!).toBeLessThan(60 * 2 ** 20);
    for (const each of [optimiser, gradient, parameters]) await each.release();
  });
});

describe('learning rates', () => {
  const rates = (shape: 'constant' | 'linear' | 'cosine'): number[] =>
    [0, 1, 2, 4, 6].map((step) => learningRate({ shape, peak: 1, warmupSteps: 2, steps: 6 }, step));

  it('constant: warm-up, then the peak', () => expect(rates('constant')).toEqual([0, 0.5, 1, 1, 1]));
  it('linear: down to 0 at the end', () => expect(rates('linear')).toEqual([0, 0.5, 1, 0.5, 0]));
  it('cosine: half-way at half of it', () => {
    rates('cosine').forEach((rate, i) => expect(rate).toBeCloseTo([0, 0.5, 1, 0.5, 0][i]!, 12));
  });
  it('no warm-up begins at the peak', () => {
    expect(learningRate({ shape: 'linear', peak: 1, warmupSteps: 0, steps: 4 }, 0)).toBe(1);
  });
});
