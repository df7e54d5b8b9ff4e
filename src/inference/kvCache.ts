/**
 * Keys and values of everything read so far, in two parts (see ../model/decoder.ts): frozen and growing.
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

/**
 * A row of slots of all layers. Its tensors are never written to once they are made, so that caches which
 * forked from one another hold the same part; the last to let go of it frees them.
 */
class Part {
  readonly tensors: Tensors;
  /** The sequence index that each slot holds. */
  readonly slots: readonly number[];
  /** Positions it holds. */
  readonly length: number;
  private holders = 1;

  constructor(tensors: Tensors, slots: readonly number[]) {
    this.tensors = tensors;
    this.slots = slots;
    this.length = slots.filter((index) => index !== PLACEHOLDER).length;
  }

  /** A fresh one, of the placeholder alone. */
  static empty({ layers, kvHeads, headSize }: TextConfig): Part {
    const tensors: Tensors = {};
    for (let layer = 0; layer < layers; layer++) {
      const names = cacheNames(layer);
      tensors[names.presentKey] = floatTensor(new Float32Array(kvHeads * headSize), [kvHeads, headSize, 1]);
      tensors[names.presentValue] = floatTensor(new Float32Array(kvHeads * headSize), [kvHeads, 1, headSize]);
    }
    return new Part(tensors, [PLACEHOLDER]);
  }

  hold(): this {
    this.holders++;
    return this;
  }

  /** GPU buffers are not garbage-collected. */
  release(): void {
    if (--this.holders === 0) for (const tensor of Object.values(this.tensors)) tensor.dispose();
  }
}

export class KvCache {
  private readonly config: TextConfig;
  private readonly merge: Session;
  private frozen: Part;
  private growing: Part;
  private disposed = false;

  constructor(config: TextConfig, merge: Session, parts?: { frozen: Part; growing: Part }) {
    this.config = config;
    this.merge = merge;
    this.frozen = parts?.frozen ?? Part.empty(config);
    this.growing = parts?.growing ?? Part.empty(config);
  }

  /**
   * An independent cache of the same positions. Nothing is copied: a step makes the growing part anew
   * anyway, for the one of the two that takes it.
   */
  fork(): KvCache {
    this.checkUsable();
    return new KvCache(this.config, this.merge, {
      frozen: this.frozen.hold(),
      growing: this.growing.hold(),
    });
  }

  /** Positions read so far. */
  get length(): number {
    return this.frozen.length + this.growing.length;
  }

  /** Rows in the growing part, which each step copies. */
  get growingLength(): number {
    return this.growing.length;
  }

  /**
   * The decoder's inputs for S more positions: the parts, their lengths, and the mask (S, T).
   * The reader of attention maps finds in `slotOf` the slot of each sequence index.
   */
  inputs(
    added: number,
    sees: Visibility,
  ): {
    feeds: Tensors;
    parts: [frozen: number, growing: number];
    mask: Float32Array;
    slotOf: number[];
  } {
    const fresh = this.next(added);
    const slots = [...this.frozen.slots, ...this.growing.slots, ...fresh];
    const mask = new Float32Array(added * slots.length);
    fresh.forEach((position, row) => {
      slots.forEach((index, slot) => {
        if (index === PLACEHOLDER || !sees(position, index)) mask[row * slots.length + slot] = MASKED;
      });
    });
    const slotOf = new Array<number>(this.length + added);
    slots.forEach((index, slot) => {
      if (index !== PLACEHOLDER) slotOf[index] = slot;
    });
    const parts: [number, number] = [this.frozen.slots.length, this.growing.slots.length + added];
    return { feeds: this.feeds(), parts, mask, slotOf };
  }

  /** Takes the decoder's present keys and values after `added` positions. */
  append(present: Tensors, added: number): void {
    const names = Object.keys(this.growing.tensors);
    const kept = Object.fromEntries(names.map((name) => [name, present[name]!]));
    this.replace({ growing: new Part(kept, [...this.growing.slots, ...this.next(added)]) });
  }

  /** Moves the growing rows into the frozen part. The first time they simply become it. */
  async freeze(): Promise<void> {
    if (this.growingLength === 0) return;
    const frozen =
      this.frozen.length === 0
        ? this.growing.hold()
        : new Part(await this.merge.run(this.feeds()), [...this.frozen.slots, ...this.growing.slots]);
    this.replace({ frozen, growing: Part.empty(this.config) });
  }

  /** Once more does nothing; the cache is of no use afterwards, its forks are. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.frozen.release();
    this.growing.release();
  }

  /** Indices of the next positions in the sequence. */
  private next(added: number): number[] {
    const start = this.length;
    return Array.from({ length: added }, (_, i) => start + i);
  }

  private feeds(): Tensors {
    this.checkUsable();
    const feeds: Tensors = {};
    for (let layer = 0; layer < this.config.layers; layer++) {
      const names = cacheNames(layer);
      feeds[names.frozenKey] = this.frozen.tensors[names.presentKey]!;
      feeds[names.frozenValue] = this.frozen.tensors[names.presentValue]!;
      feeds[names.growingKey] = this.growing.tensors[names.presentKey]!;
      feeds[names.growingValue] = this.growing.tensors[names.presentValue]!;
    }
    return feeds;
  }

  private replace({ frozen, growing }: { frozen?: Part; growing: Part }): void {
    this.checkUsable();
    this.growing.release();
    this.growing = growing;
    if (frozen === undefined) return;
    this.frozen.release();
    this.frozen = frozen;
  }

  private checkUsable(): void {
    if (this.disposed) throw new Error('the cache has been disposed of');
  }
}
