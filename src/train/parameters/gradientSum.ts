/** Where the gradients of a step's batches come together, without leaving the device that computes them. */

import type { RuntimeTensor, Session } from '../../ort/session.ts';
import type { ParameterSet, Slot } from './parameters.ts';

const PREFIX = 'gradient.';

export const gradientName = (name: string): string => `${PREFIX}${name}`;

export class GradientSum {
  private readonly total: ParameterSet;
  /** Parameters that have a gradient since `clear`. */
  private readonly begun = new Set<Slot>();
  /** Gradients that are yet to be added; made when first needed. */
  private next: ParameterSet | undefined;

  /** @param total whatever it holds */
  constructor(total: ParameterSet) {
    this.total = total;
  }

  /** The next gradients take the place of what there is. */
  clear(): void {
    this.begun.clear();
  }

  /**
   * Runs a graph and adds its gradients, which are outputs by `gradientName`, of all parameters or some.
   * @param unwanted outputs that are not brought
   * @returns the other outputs, on the CPU
   */
  async run(
    session: Session,
    feeds: Record<string, RuntimeTensor>,
    unwanted: readonly string[] = [],
  ): Promise<Record<string, RuntimeTensor>> {
    const names = new Set(session.outputs);
    const slots = this.total.slots.filter(({ name }) => names.has(gradientName(name)));
    const added = slots.filter((slot) => this.begun.has(slot));
    const results = { ...this.total.tensors(PREFIX) };
    if (added.length > 0) {
      this.next ??= await this.total.zeros();
      const apart = this.next.tensors(PREFIX);
      for (const { name } of added) results[gradientName(name)] = apart[gradientName(name)]!;
    }
    const outputs = await session.run(feeds, results, unwanted);
    if (added.length > 0) await this.total.blend(this.next!, 1, 1, added);
    for (const slot of slots) this.begun.add(slot);
    return outputs;
  }

  /** The sum, with zeros for parameters that no graph had a gradient of. The next run overwrites it. */
  async whole(): Promise<ParameterSet> {
    for (const slot of this.total.slots) {
      if (!this.begun.has(slot)) await this.total.write(slot, new Float32Array(slot.length));
      this.begun.add(slot);
    }
    return this.total;
  }

  async release(): Promise<void> {
    await this.total.release();
    await this.next?.release();
  }
}
