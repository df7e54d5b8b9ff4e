/**
 * What is trained, in memory: one flat array, of which each tensor is a view, so that the optimiser, the norm and
 * the moving average are loops over numbers.
 */

import { readTensor } from '../checkpoint/safetensors.ts';
import type { WeightSource } from '../model/weightSource.ts';
import { floatTensor, type RuntimeTensor } from '../ort/session.ts';
import { sizeOf } from '../tensor/array.ts';
import type { WeightRef } from '../tensor/dtype.ts';

/** A tensor's place in the flat array. */
export interface Slot {
  name: string;
  shape: readonly number[];
  offset: number;
  length: number;
}

/** Numbers for every trainable tensor: weights, gradients or moments. */
export class ParameterArray {
  readonly slots: readonly Slot[];
  readonly data: Float32Array;
  private readonly made = new Map<string, Readonly<Record<string, RuntimeTensor>>>();

  constructor(slots: readonly Slot[], data?: Float32Array) {
    const last = slots.at(-1);
    this.slots = slots;
    this.data = data ?? new Float32Array(last === undefined ? 0 : last.offset + last.length);
  }

  /** Zeros of the same layout. */
  zeros(): ParameterArray {
    return new ParameterArray(this.slots);
  }

  copy(): ParameterArray {
    return new ParameterArray(this.slots, this.data.slice());
  }

  /** θ ← decay · θ + (1 - decay) · other: the momentum teacher's step. */
  follow(other: ParameterArray, decay: number): void {
    const [own, leader] = [this.data, other.data];
    for (let i = 0; i < own.length; i++) own[i] = decay * own[i]! + (1 - decay) * leader[i]!;
  }

  /** The tensors of some names, which stand beside each other, as an array of their own in the same memory. */
  part(takes: (name: string) => boolean): ParameterArray {
    const taken = this.slots.filter(({ name }) => takes(name));
    const start = taken[0]?.offset ?? 0;
    const length = taken.reduce((sum, slot) => sum + slot.length, 0);
    const slots = taken.map((slot) => ({ ...slot, offset: slot.offset - start }));
    return new ParameterArray(slots, this.data.subarray(start, start + length));
  }

  view({ offset, length }: Slot): Float32Array {
    return this.data.subarray(offset, offset + length);
  }

  /** Adds the numbers of another of the same layout. */
  add(other: ParameterArray): void {
    const [sums, added] = [this.data, other.data];
    for (let i = 0; i < sums.length; i++) sums[i]! += added[i]!;
  }

  /** Takes `factor` times the numbers of another of the same layout. */
  set(other: ParameterArray, factor: number): void {
    const [own, taken] = [this.data, other.data];
    for (let i = 0; i < own.length; i++) own[i] = factor * taken[i]!;
  }

  /** The tensors as a graph's inputs or outputs, by prefix and name, without copying. */
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
}

/** As graphs take a tensor: a kernel of more axes is a matrix, one row for each of its outputs. */
export function graphShape(shape: readonly number[]): readonly number[] {
  return shape.length <= 2 ? shape : [shape[0]!, sizeOf(shape) / shape[0]!];
}

/**
 * Turns the weights that a graph asks for into its inputs, and remembers which these are. Where there is
 * an adapter, its factors are learnt and the weights themselves are frozen.
 */
export class TrainableWeights implements WeightSource {
  private readonly source: WeightSource;
  private readonly weights = new Map<string, WeightRef>();
  private readonly factors = new Map<string, WeightRef>();
  private readonly names = new Map<string, string>();

  constructor(source: WeightSource) {
    this.source = source;
  }

  get(name: string, shape: number[]): ReturnType<WeightSource['get']> {
    const weight = this.source.get(name, shape);
    this.add(this.weights, name, weight);
    if (weight.adapter !== undefined) {
      this.add(this.factors, factorName(name, 'A'), weight.adapter.a);
      this.add(this.factors, factorName(name, 'B'), weight.adapter.b);
    }
    return weight;
  }

  /** What is learnt, by name. */
  get refs(): ReadonlyMap<string, WeightRef> {
    return this.factors.size > 0 ? this.factors : this.weights;
  }

  /** What stays as it is. */
  get frozen(): ReadonlyMap<string, WeightRef> {
    return this.factors.size > 0 ? this.weights : new Map();
  }

  /** For `GraphOptions.trainable`. */
  readonly inputOf = (ref: WeightRef): string | undefined => this.names.get(placeOf(ref));

  private add(to: Map<string, WeightRef>, name: string, ref: WeightRef): void {
    to.set(name, ref);
    this.names.set(placeOf(ref), name);
  }
}

/** `….q_proj.weight` → `….q_proj.lora_A.weight` */
export function factorName(weight: string, factor: 'A' | 'B'): string {
  return weight.replace(/\.weight$/, `.lora_${factor}.weight`);
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

function placeOf({ file, offset }: WeightRef): string {
  return `${file}:${offset}`;
}
