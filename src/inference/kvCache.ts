/**
 * Keys and values of everything read so far, in two parts (see ../model/decoder.ts).
 *
 * A part is a row of slots. Slot 0 of a fresh part is a masked placeholder: the runtime's WebGPU
 * kernels do not take empty tensors. Every slot knows the sequence index it holds, or PLACEHOLDER.
 */

import { GraphBuilder } from '../onnx/graphBuilder.ts';
import { MASKED } from '../model/positions.ts';
import { cacheNames } from '../model/decoder.ts';
import type { TextConfig } from '../model/config.ts';
import {
  floatTensor,
  openSession,
  type RuntimeTensor,
  type Session,
  type SessionOptions,
} from '../ort/session.ts';

const PLACEHOLDER = -1;

/** Whether the position `query` attends to `key`, both as indices in the sequence. */
export type Visibility = (query: number, key: number) => boolean;

type Tensors = Record<string, RuntimeTensor>;

/** Joins growing to frozen, all layers at once; on a GPU nothing leaves the device. */
export async function openMergeSession(
  config: TextConfig,
  { provider, threads }: Pick<SessionOptions, 'provider' | 'threads'>,
): Promise<Session> {
  const graph = new GraphBuilder('merge');
  const { kvHeads: K, headSize: d } = config;
  const names: string[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const { frozenKey, frozenValue, growingKey, growingValue, presentKey, presentValue } = cacheNames(layer);
    const key = [
      graph.input(frozenKey, 'float32', [K, d, 'F']),
      graph.input(growingKey, 'float32', [K, d, 'G']),
    ];
    const value = [
      graph.input(frozenValue, 'float32', [K, 'F', d]),
      graph.input(growingValue, 'float32', [K, 'G', d]),
    ];
    graph.output(presentKey, graph.op('Concat', key, { axis: 2 }), [K, d, 'T']);
    graph.output(presentValue, graph.op('Concat', value, { axis: 1 }), [K, 'T', d]);
    names.push(presentKey, presentValue);
  }
  return openSession(graph.build(), { provider, threads, weightsFolder: '', keepOnDevice: names });
}

export class KvCache {
  private readonly config: TextConfig;
  private readonly merge: Session;
  private frozen: Tensors;
  private growing: Tensors;
  private frozenSlots = [PLACEHOLDER];
  private growingSlots = [PLACEHOLDER];
  private readonly sees: Visibility;

  constructor(config: TextConfig, merge: Session, sees: Visibility) {
    this.config = config;
    this.merge = merge;
    this.sees = sees;
    this.frozen = emptyPart(config);
    this.growing = emptyPart(config);
  }

  /** Positions read so far. */
  get length(): number {
    return this.visibleSlots().length;
  }

  /** Rows in the growing part, which each step copies. */
  get growingLength(): number {
    return this.growingSlots.length - 1;
  }

  /**
   * The decoder's inputs for S more positions: the parts, their lengths, and the mask (S, T).
   * The reader of attention maps finds in `slotOf` the slot of each sequence index.
   */
  inputs(added: number): {
    feeds: Tensors;
    parts: [frozen: number, growing: number];
    mask: Float32Array;
    slotOf: number[];
  } {
    const start = this.length;
    const fresh = Array.from({ length: added }, (_, i) => start + i);
    const slots = [...this.frozenSlots, ...this.growingSlots, ...fresh];
    const mask = new Float32Array(added * slots.length);
    fresh.forEach((position, row) => {
      slots.forEach((index, slot) => {
        if (index === PLACEHOLDER || !this.sees(position, index)) mask[row * slots.length + slot] = MASKED;
      });
    });
    const slotOf = new Array<number>(start + added);
    slots.forEach((index, slot) => {
      if (index !== PLACEHOLDER) slotOf[index] = slot;
    });
    const feeds: Tensors = {};
    for (let layer = 0; layer < this.config.layers; layer++) {
      const names = cacheNames(layer);
      feeds[names.frozenKey] = this.frozen[names.presentKey]!;
      feeds[names.frozenValue] = this.frozen[names.presentValue]!;
      feeds[names.growingKey] = this.growing[names.presentKey]!;
      feeds[names.growingValue] = this.growing[names.presentValue]!;
    }
    return { feeds, parts: [this.frozenSlots.length, this.growingSlots.length + added], mask, slotOf };
  }

  /** Takes the decoder's present keys and values after `added` positions. */
  append(present: Tensors, added: number): void {
    const start = this.length;
    const kept: Tensors = {};
    for (const name of this.presentNames()) {
      this.growing[name]!.dispose();
      kept[name] = present[name]!;
    }
    this.growing = kept;
    this.growingSlots.push(...Array.from({ length: added }, (_, i) => start + i));
  }

  /** Moves the growing rows into the frozen part. The first time they simply become it. */
  async freeze(): Promise<void> {
    if (this.growingLength === 0) return;
    const previous = [this.frozen, this.growing];
    if (this.frozenSlots.length === 1) {
      this.frozen = this.growing;
      this.frozenSlots = this.growingSlots;
      release(previous.slice(0, 1));
    } else {
      this.frozen = await this.merge.run(this.inputs(0).feeds);
      this.frozenSlots = [...this.frozenSlots, ...this.growingSlots];
      release(previous);
    }
    this.growing = emptyPart(this.config);
    this.growingSlots = [PLACEHOLDER];
  }

  dispose(): void {
    release([this.frozen, this.growing]);
  }

  private visibleSlots(): number[] {
    return [...this.frozenSlots, ...this.growingSlots].filter((index) => index !== PLACEHOLDER);
  }

  private presentNames(): string[] {
    return Object.keys(this.growing);
  }
}

function emptyPart({ layers, kvHeads, headSize }: TextConfig): Tensors {
  const part: Tensors = {};
  for (let layer = 0; layer < layers; layer++) {
    const names = cacheNames(layer);
    part[names.presentKey] = floatTensor(new Float32Array(kvHeads * headSize), [kvHeads, headSize, 1]);
    part[names.presentValue] = floatTensor(new Float32Array(kvHeads * headSize), [kvHeads, 1, headSize]);
  }
  return part;
}

/** GPU buffers are not garbage-collected. */
function release(parts: Tensors[]): void {
  for (const part of parts) for (const tensor of Object.values(part)) tensor.dispose();
}
