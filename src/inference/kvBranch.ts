/**
 * Sequences that share one cache, as branches of a tree: each is a path through the positions that were read, and the
 * mask keeps it to its path (tree attention: arXiv 2305.09781). What branches have in common lies in the cache once, and
 * one run of the decoder reads new positions of all of them: weights, and keys and values of the common part, are
 * fetched once for all. An axis for the batch would hold the prompt once for each row, or fetch it once for each.
 *
 * What another branch has read is masked, which leaves exactly 0 of it after the softmax. Products of more rows round
 * differently, so a branch among others equals the same sequence alone within rounding, not to the bit.
 */

import type { NumericArray } from '../tensor/array.ts';
import type { Position } from '../model/positions.ts';
import type { KvCache, Visibility } from './kvCache.ts';
import type { DecoderStep, Model, Reading } from './model.ts';

interface Shared {
  readonly cache: KvCache;
  branches: number;
}

/** One sequence. Whoever has it disposes of it. */
export class KvBranch {
  private readonly shared: Shared;
  /** Where each position of the sequence lies, as the number of positions that the cache had read before it. */
  private path: readonly number[];
  private disposed = false;

  private constructor(shared: Shared, path: readonly number[]) {
    this.shared = shared;
    this.path = path;
    shared.branches++;
  }

  /** The only branch of a cache, all that it has read. The cache is the branch's from now on. */
  static of(cache: KvCache): KvBranch {
    return new KvBranch(
      { cache, branches: 0 },
      Array.from({ length: cache.length }, (_, i) => i),
    );
  }

  /** The same sequence in a cache of its own, which nobody else's reading changes in any bit. */
  fork(): KvBranch {
    this.checkUsable();
    return new KvBranch({ cache: this.shared.cache.fork(), branches: 0 }, this.path);
  }

  /** The same sequence in the same cache, so that both can be read together from here on. */
  beside(): KvBranch {
    this.checkUsable();
    return new KvBranch(this.shared, this.path);
  }

  /** Once more does nothing. The cache goes with its last branch. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    if (--this.shared.branches === 0) this.shared.cache.dispose();
  }

  /**
   * Reads new positions of several branches, those of one cache in one run of the decoder.
   * @returns what `Model.step` gives, of each branch by itself: attention is over the keys of its own sequence
   */
  static async read(model: Model, reads: readonly BranchRead[]): Promise<DecoderStep[]> {
    const steps = new Map<BranchRead, DecoderStep>();
    for (const shared of new Set(reads.map(({ branch }) => branch.shared))) {
      const together = reads.filter(({ branch }) => branch.shared === shared);
      for (const { branch } of together) branch.checkUsable();
      const laid = layOut(together, shared.cache.length, (branch) => branch.path);
      const step = await model.step(shared.cache, ...inputsOf(together, laid));
      const own = split(step, laid);
      together.forEach((read, i) => {
        read.branch.path = laid[i]!.path;
        steps.set(read, own[i]!);
      });
    }
    return reads.map((read) => steps.get(read)!);
  }

  private checkUsable(): void {
    if (this.disposed) throw new Error('the branch has been disposed of');
  }
}

/** New positions of a branch; indices of `reading` are those of its own new positions and of its own sequence. */
export interface BranchRead {
  branch: KvBranch;
  /** (S, C) */
  embeddings: NumericArray;
  positions: readonly Position[];
  reading?: Reading;
}

/** Where the new positions of one branch stand among those of all that are read. */
interface Laid {
  /** Of the first of them, and how many there are. */
  first: number;
  count: number;
  /** The branch's sequence with them, as `KvBranch.path`. */
  path: readonly number[];
  rows: readonly number[];
  states: readonly number[];
  sees: Visibility;
}

const isNotLater: Visibility = (query, key) => key <= query;

function layOut(
  reads: readonly BranchRead[],
  read: number,
  pathOf: (branch: KvBranch) => readonly number[],
): Laid[] {
  let next = 0;
  return reads.map(({ branch, positions, reading = {} }) => {
    const [first, count] = [next, positions.length];
    next += count;
    const { rows = [count - 1], states = [], sees = isNotLater } = reading;
    const added = Array.from({ length: count }, (_, i) => read + first + i);
    return { first, count, path: [...pathOf(branch), ...added], rows, states, sees };
  });
}

/** What `Model.step` is given: all new positions, one branch after the other. */
function inputsOf(
  reads: readonly BranchRead[],
  laid: readonly Laid[],
): [embeddings: NumericArray, positions: Position[], reading: Reading] {
  const width = reads[0]!.embeddings.shape[1]!;
  const positions = reads.flatMap((read) => read.positions);
  const data = new Float32Array(positions.length * width);
  reads.forEach(({ embeddings }, i) => data.set(embeddings.data, laid[i]!.first * width));
  const states = laid.flatMap((one) => one.states.map((index) => one.first + index));
  const rows = laid.flatMap((one) => one.rows.map((index) => one.first + index));
  return [
    { shape: [positions.length, width], data },
    positions,
    {
      // Empty tensors have no kernels on WebGPU.
      rows: rows.length === 0 ? [0] : rows,
      ...(states.length > 0 && { states }),
      sees: visibilityOf(laid),
      placeOf: (index) => placeIn(laid, index),
    },
  ];
}

/** Where a new position, by its index among those of all branches, stands in its branch's own sequence. */
function placeIn(laid: readonly Laid[], index: number): number {
  const { first, count, path } = laid.find((one) => index < one.first + one.count)!;
  return path.length - count + index - first;
}

/** Of all places in the cache, from what each branch sees of its own sequence. */
function visibilityOf(laid: readonly Laid[]): Visibility {
  const end = Math.max(...laid.map(({ path }) => path.at(-1)!)) + 1;
  const total = laid.reduce((sum, { count }) => sum + count, 0);
  const branches = laid.map(({ path, sees }) => {
    const indexAt = new Int32Array(end).fill(-1);
    path.forEach((place, index) => (indexAt[place] = index));
    return { indexAt, sees };
  });
  const branchOf = laid.flatMap(({ count }, i) => new Array<number>(count).fill(i));
  return (query, key) => {
    const { indexAt, sees } = branches[branchOf[query - (end - total)]!]!;
    const index = indexAt[key]!;
    return index >= 0 && sees(indexAt[query]!, index);
  };
}

function split({ hidden, attention, states }: DecoderStep, laid: readonly Laid[]): DecoderStep[] {
  const width = hidden.shape[1]!;
  let [row, state] = [0, 0];
  return laid.map(({ first, count, path, rows, states: wanted }) => {
    const data = hidden.data.subarray(first * width, (first + count) * width);
    const step = {
      hidden: { shape: [count, width], data },
      attention: attentionOf(attention, row, rows.length, path),
      ...(wanted.length > 0 && { states: statesOf(states!, state, wanted.length) }),
    };
    row += rows.length;
    state += wanted.length;
    return step;
  });
}

/** (L, H, Q, T) → (L, H, rows, keys of the path); no keys without rows */
function attentionOf(
  { shape, data }: NumericArray,
  first: number,
  rows: number,
  path: readonly number[],
): NumericArray {
  const [layers = 0, heads = 0, queries = 0, places = 0] = shape;
  const keys = rows === 0 ? 0 : path.length;
  // One branch that has read all there is.
  if (rows === queries && keys === places) return { shape, data };
  const result = new Float32Array(layers * heads * rows * keys);
  const common = path.findIndex((place, index) => place !== index);
  const stretch = common < 0 ? keys : common;
  for (let head = 0; head < layers * heads; head++) {
    for (let row = 0; row < rows; row++) {
      const from = (head * queries + first + row) * places;
      const to = (head * rows + row) * keys;
      result.set(data.subarray(from, from + stretch), to);
      for (let key = stretch; key < keys; key++) result[to + key] = data[from + path[key]!]!;
    }
  }
  return { shape: [layers, heads, rows, keys], data: result };
}

/** (L, P, C) → (L, count, C) */
function statesOf({ shape, data }: NumericArray, first: number, count: number): NumericArray {
  const [layers = 0, all = 0, width = 0] = shape;
  if (count === all) return { shape, data };
  const result = new Float32Array(layers * count * width);
  for (let layer = 0; layer < layers; layer++) {
    const from = (layer * all + first) * width;
    result.set(data.subarray(from, from + count * width), layer * count * width);
  }
  return { shape: [layers, count, width], data: result };
}
