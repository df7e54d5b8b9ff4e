/** Figures of a map's numbers, and of many maps together. NaNs never count. */

import { NEARLY_UNIFORM, SINK_SHARE } from './constants.ts';

export interface Entropy {
  bits: number;
  /** Of a map that is the same everywhere: the most there can be. */
  uniformBits: number;
}

/** Entropy of values normalised to sum 1; none, where they sum to 0, is 0 bits. */
export function entropyOf(values: Float32Array): Entropy {
  let [total, count] = [0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    total += value;
    count++;
  }
  let bits = 0;
  for (const value of values) {
    const p = value / total;
    if (p > 0) bits -= p * Math.log2(p);
  }
  return { bits, uniformBits: Math.log2(Math.max(1, count)) };
}

/** Whether a map is so even that its largest patches mean little. */
export function isNearlyUniform({ bits, uniformBits }: Entropy): boolean {
  return uniformBits > 0 && bits > NEARLY_UNIFORM * uniformBits;
}

/** Index of the largest value; 0 where there is none. */
export function peakOf(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if (values[i]! > values[best]! || Number.isNaN(values[best]!)) best = i;
  }
  return best;
}

/** Sum of the values. */
export function totalOf(values: Float32Array): number {
  let total = 0;
  for (const value of values) if (!Number.isNaN(value)) total += value;
  return total;
}

/** Mean of the values: what each would be if they were the same everywhere. NaN without any. */
export function meanOf(values: Float32Array): number {
  let [total, count] = [0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    total += value;
    count++;
  }
  return total / count;
}

/** The value that `share` of the values do not exceed (nearest rank); NaN without any. Their order is changed. */
export function percentile(values: Float32Array, share: number): number {
  return nth(values, Math.max(0, Math.ceil(values.length * share) - 1));
}

/** The value that stands at an index when the values are sorted, without sorting them all; NaN beyond the end. */
function nth(values: Float32Array, index: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const { below, above } = partition(values, low, high);
    if (index <= below) high = below;
    else if (index >= above) low = above;
    else break;
  }
  return values[index] ?? NaN;
}

/**
 * The largest values that add up to `wanted`, as few as do: all above `least`, and `equal` of those that are `least`.
 * Their order is changed; none may be NaN, and together they must reach what is wanted.
 */
export function largestHolding(values: Float32Array, wanted: number): { least: number; equal: number } {
  let [low, high] = [0, values.length - 1];
  // Of what stands above `high`.
  let held = 0;
  while (low < high) {
    const { below, above } = partition(values, low, high);
    let more = held;
    for (let i = above; i <= high; i++) more += values[i]!;
    if (more >= wanted) {
      low = above;
      continue;
    }
    // What is between the two parts is equal to the pivot.
    for (let i = below + 1; i < above; i++) more += values[i]!;
    held = more;
    if (held >= wanted) {
      [low, high] = [below + 1, below + 1];
      break;
    }
    high = below;
  }
  return countEqual(values, wanted, values[high] ?? Infinity);
}

function countEqual(values: Float32Array, wanted: number, least: number): { least: number; equal: number } {
  let held = 0;
  for (const value of values) if (value > least) held += value;
  let equal = 0;
  while (held < wanted && equal < values.length) {
    held += least;
    equal++;
  }
  return { least, equal };
}

/** Moves what is less than some value of a range before what is more; what lies between both parts is equal to it. */
function partition(values: Float32Array, low: number, high: number): { below: number; above: number } {
  const pivot = values[(low + high) >> 1]!;
  let [i, j] = [low, high];
  while (i <= j) {
    while (values[i]! < pivot) i++;
    while (values[j]! > pivot) j--;
    if (i > j) break;
    const swapped = values[i]!;
    values[i++] = values[j]!;
    values[j--] = swapped;
  }
  return { below: j, above: i };
}

/** What many queries have in common at one place of the model: how much they look, how widely, always where. */
export class Looks {
  queries = 0;
  private massSum = 0;
  private bitsSum = 0;
  private uniform = 0;
  private readonly peaks = new Map<number, number>();

  /** Adds one query's probabilities over the patches. */
  add(values: Float32Array): void {
    this.addLook(totalOf(values), entropyOf(values).bits, peakOf(values), values.length);
  }

  /**
   * Adds one query by its figures.
   * @param mass share of its attention on the patches
   * @param bits entropy over the patches
   * @param peak index of the largest of the `patches`
   */
  addLook(mass: number, bits: number, peak: number, patches: number): void {
    this.queries++;
    this.massSum += mass;
    this.bitsSum += bits;
    this.uniform = Math.log2(Math.max(1, patches));
    this.peaks.set(peak, (this.peaks.get(peak) ?? 0) + 1);
  }

  /** Mean share of the queries' attention that lies on the patches. */
  get mass(): number {
    return this.queries === 0 ? 0 : this.massSum / this.queries;
  }

  /** Mean entropy over the patches. */
  get entropy(): Entropy {
    return { bits: this.queries === 0 ? 0 : this.bitsSum / this.queries, uniformBits: this.uniform };
  }

  /** The patch that is the largest most often, and for how many of the queries. */
  get favourite(): { patch: number; queries: number } | undefined {
    let best: { patch: number; queries: number } | undefined;
    for (const [patch, queries] of this.peaks) {
      if (best === undefined || queries > best.queries) best = { patch, queries };
    }
    return best;
  }

  /** The favourite, where it is the largest for more than half of several queries. */
  get sink(): { patch: number; queries: number } | undefined {
    const { favourite, queries } = this;
    const isSink = favourite !== undefined && queries > 1 && favourite.queries > SINK_SHARE * queries;
    return isSink ? favourite : undefined;
  }
}
