/**
 * What is learnt, its gradient, its moments: a number for every element of every trainable tensor. They reside on the
 * CPU, in one flat array of which each tensor is a view, or in buffers of the GPU (./buffers.ts), which they do not leave
 * while training goes on. Learners, optimiser and checkpoints use both alike.
 */

import { readTensor } from '../../checkpoint/formats/safetensors.ts';
import { floatTensor, type RuntimeTensor } from '../../ort/session.ts';
import { sizeOf } from '../../tensor/array.ts';
import type { WeightRef } from '../../tensor/dtype.ts';

/** A tensor's place among those of its set. */
export interface Slot {
  name: string;
  shape: readonly number[];
  /** In the flat array. */
  offset: number;
  length: number;
}

/** Sets that are used together have the same slots and the same residence. */
export interface ParameterSet {
  readonly slots: readonly Slot[];
  /** As a graph's inputs, or as what its outputs are written into, by prefix and name, without copying. */
  tensors(prefix?: string): Readonly<Record<string, RuntimeTensor>>;
  read(slot: Slot): Float32Array | Promise<Float32Array>;
  write(slot: Slot, values: Float32Array): void | Promise<void>;
  /** Another set with zeros. */
  zeros(): ParameterSet | Promise<ParameterSet>;
  /** Another set with the same numbers. */
  copy(): ParameterSet | Promise<ParameterSet>;
  /**
   * x ← kept · x + added · other: a sum of gradients, or a step of the momentum teacher.
   * @param slots of its own; all if absent
   */
  blend(other: this, kept: number, added: number, slots?: readonly Slot[]): void | Promise<void>;
  /** √Σ x² */
  norm(): number | Promise<number>;
  /** An update of these numbers by AdamW: see ./optimiser.ts. */
  adamW(settings: AdamWSettings): AdamWUpdate | Promise<AdamWUpdate>;
  /** Gives buffers of the GPU back, which are not garbage-collected. */
  release(): void | Promise<void>;
}

export interface AdamWSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** Whether a tensor decays. */
  decays: (slot: Slot) => boolean;
}

/** Running means of the gradient, m, and of its square, v. */
export interface Moments {
  first: ParameterSet;
  second: ParameterSet;
}

/** The numbers of one update that all elements share. */
export interface StepSizes {
  /** What the gradient is multiplied by first. */
  scale: number;
  /** 1 - η λ */
  decayed: number;
  /** r η / (1 - β₁ᵗ), where r = √(1 - β₂ᵗ) */
  stepSize: number;
  /** r ε */
  floor: number;
}

export type AdamWUpdate = (
  gradient: ParameterSet,
  moments: Moments,
  sizes: StepSizes,
) => void | Promise<void>;

/** On the CPU. */
export class ParameterArray implements ParameterSet {
  readonly slots: readonly Slot[];
  readonly data: Float32Array;
  private readonly made = new Map<string, Readonly<Record<string, RuntimeTensor>>>();

  constructor(slots: readonly Slot[], data?: Float32Array) {
    const last = slots.at(-1);
    this.slots = slots;
    this.data = data ?? new Float32Array(last === undefined ? 0 : last.offset + last.length);
  }

  zeros(): ParameterArray {
    return new ParameterArray(this.slots);
  }

  copy(): ParameterArray {
    return new ParameterArray(this.slots, this.data.slice());
  }

  blend(other: ParameterSet, kept: number, added: number, slots = this.slots): void {
    for (const slot of slots) {
      const [own, others] = [this.view(slot), onCpu(other).view(slot)];
      for (let i = 0; i < own.length; i++) own[i] = kept * own[i]! + added * others[i]!;
    }
  }

  norm(): number {
    const { data } = this;
    const { length } = data;
    let sum = 0;
    for (let i = 0; i < length; i++) {
      const value = data[i]!;
      sum += value * value;
    }
    return Math.sqrt(sum);
  }

  adamW({ beta1, beta2, decays }: AdamWSettings): AdamWUpdate {
    const [added1, added2] = [1 - beta1, 1 - beta2];
    return (gradient, { first, second }, { scale, decayed, stepSize, floor }) => {
      for (const slot of this.slots) {
        const kept = decays(slot) ? decayed : 1;
        const viewOf = (set: ParameterSet): Float32Array => onCpu(set).view(slot);
        const [theta, g, m, v] = [this.view(slot), viewOf(gradient), viewOf(first), viewOf(second)];
        const { length } = theta;
        for (let i = 0; i < length; i++) {
          // Rounded as they are stored, without reading them back.
          const each = Math.fround(scale * g[i]!);
          const mean = Math.fround(beta1 * m[i]! + added1 * each);
          const square = Math.fround(beta2 * v[i]! + added2 * each * each);
          m[i] = mean;
          v[i] = square;
          theta[i] = kept * theta[i]! - (stepSize * mean) / (Math.sqrt(square) + floor);
        }
      }
    };
  }

  view({ offset, length }: Slot): Float32Array {
    return this.data.subarray(offset, offset + length);
  }

  read(slot: Slot): Float32Array {
    return this.view(slot);
  }

  write(slot: Slot, values: Float32Array): void {
    this.view(slot).set(values);
  }

  tensors(prefix = ''): Readonly<Record<string, RuntimeTensor>> {
    const tensors =
      this.made.get(prefix) ??
      Object.fromEntries(
        this.slots.map((slot) => [
          `${prefix}${slot.name}`,
          floatTensor(this.view(slot), graphShape(slot.shape)),
        ]),
      );
    this.made.set(prefix, tensors);
    return tensors;
  }

  release(): void {}
}

/** The set as what it is where nothing else can be: worker threads and tests have theirs on the CPU. */
export function onCpu(set: ParameterSet): ParameterArray {
  if (set instanceof ParameterArray) return set;
  throw new Error('expected parameters on the CPU');
}

/** As graphs take a tensor: a kernel of more axes is a matrix, one row for each of its outputs. */
export function graphShape(shape: readonly number[]): readonly number[] {
  return shape.length <= 2 ? shape : [shape[0]!, sizeOf(shape) / shape[0]!];
}

/** Reads the tensors into one array, in the order in which the model asks for them. */
export async function readParameters(
  refs: ReadonlyMap<string, WeightRef>,
  read: (ref: WeightRef, name: string) => Promise<Float32Array> = readTensor,
): Promise<ParameterArray> {
  let offset = 0;
  const slots = [...refs].map(([name, { shape }]): Slot => {
    const length = sizeOf(shape);
    offset += length;
    return { name, shape, offset: offset - length, length };
  });
  const parameters = new ParameterArray(slots);
  for (const slot of slots) parameters.view(slot).set(await read(refs.get(slot.name)!, slot.name));
  return parameters;
}
