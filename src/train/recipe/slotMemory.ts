/**
 * What the parts of a batch hand on: keys and values of the slots that were read, and in the pass back
 * what flows back into them.
 */

import type { TextConfig } from '../../model/config.ts';
import type { LatentReach } from '../../model/latentReach.ts';
import { MASKED } from '../../model/positions.ts';
import { floatTensor, type RuntimeTensor, type Tensors } from '../../ort/session.ts';
import { sizeOf } from '../../tensor/array.ts';
import type { BatchPart } from '../graphs/parts.ts';
import { slotsOf, type Part } from '../graphs/decoder.ts';

const [EMPTY, TEXT, LATENT] = [0, 1, 2];

/** A value and its gradient are laid out as (2·L, B, T, G·d); see ./reading.ts for the letters. */
export class SlotMemory {
  private readonly shape: readonly [layers: number, batch: number, past: number, width: number];
  private readonly values: Float32Array;
  private readonly gradients: Float32Array;
  /** (B, T): what stands there */
  private readonly slots: Uint8Array;
  private readonly reach: LatentReach | undefined;

  /**
   * @param last the batch's last part, which sees all the others
   * @param reach a control model's: see ../model/latentReach.ts
   */
  constructor({ layers, kvHeads, headSize }: TextConfig, last: Part, reach?: LatentReach) {
    this.reach = reach;
    this.shape = [2 * layers, last.batch, last.past, kvHeads * headSize];
    this.values = new Float32Array(sizeOf(this.shape));
    this.gradients = new Float32Array(this.values.length);
    this.slots = new Uint8Array(last.batch * last.past);
  }

  /** What a part sees of the parts before it: its graph's inputs past and seen. The first part's graph has neither. */
  feeds({ size, offset }: BatchPart): Tensors {
    if (size.past === 0) return {};
    const [, batch, past] = this.shape;
    const seen = new Float32Array(2 * batch * past).fill(MASKED);
    this.slots.forEach((slot, i) => {
      if (slot === EMPTY || i % past >= offset || this.reach === 'only') return;
      const row = 2 * Math.floor(i / past) * past + (i % past);
      seen[row] = 0;
      if (slot === TEXT || this.reach !== 'none') seen[row + past] = 0;
    });
    return { past: floatTensor(this.values, this.shape), seen: floatTensor(seen, [batch, 1, 2, past]) };
  }

  /** @param keysAndValues (2·L, B, s, G·d) of a part that others follow */
  write(part: BatchPart, keysAndValues: Float32Array): void {
    const [, , past] = this.shape;
    this.eachRun(part, (here, there, length) => {
      this.values.set(keysAndValues.subarray(there, there + length), here);
    });
    part.ranges.forEach(({ start, end }, b) => {
      const first = b * past + part.offset;
      this.slots.fill(TEXT, first, first + end - start);
      this.slots.fill(LATENT, first, first + Math.min(part.size.latents, end - start));
    });
  }

  /** @param gradient of the whole past, from a later part */
  addGradient(gradient: Float32Array): void {
    const sums = this.gradients;
    for (let i = 0; i < sums.length; i++) sums[i]! += gradient[i]!;
  }

  /** What later parts sent back to the keys and values of one that they follow, (2·L, B, s, G·d). */
  gradientOf(part: BatchPart): RuntimeTensor {
    const [layers, batch, , width] = this.shape;
    const shape = [layers, batch, slotsOf(part.size), width];
    const found = new Float32Array(sizeOf(shape));
    this.eachRun(part, (here, there, length) => {
      found.set(this.gradients.subarray(here, here + length), there);
    });
    return floatTensor(found, shape);
  }

  /** A part's slots by layer and sequence: where they are in here and in its own tensors. */
  private eachRun(
    { size, offset }: BatchPart,
    visit: (here: number, there: number, length: number) => void,
  ): void {
    const [layers, batch, past, width] = this.shape;
    const s = slotsOf(size);
    for (let n = 0; n < layers * batch; n++) visit((n * past + offset) * width, n * s * width, s * width);
  }
}
