/** Attention rollout (Abnar and Zuidema, arXiv 2005.00928): attention multiplied through all layers. */

import type { NumericArray } from '../tensor/array.ts';
import type { ReplayedPart } from './replay.ts';

/** Mean of the heads, of every query over all keys up to it: row after row, without what is not seen. */
export class HeadMeans {
  readonly length: number;
  private readonly layers: Float32Array[];

  /** @param length T, positions */
  constructor(layers: number, length: number) {
    this.length = length;
    this.layers = Array.from({ length: layers }, () => new Float32Array((length * (length + 1)) / 2));
  }

  /** Bytes that it will take. */
  static memory(layers: number, length: number): number {
    return (layers * 4 * (length * (length + 1))) / 2;
  }

  /** Takes the part's queries in. */
  add({ attention: { queries, values } }: ReplayedPart): void {
    const [layers = 0, heads = 0, count = 0, keys = 0] = values.shape;
    for (let layer = 0; layer < layers; layer++) {
      queries.forEach((query, i) => {
        const row = this.row(layer, query);
        for (let head = 0; head < heads; head++) {
          const start = ((layer * heads + head) * count + i) * keys;
          for (let key = 0; key <= query; key++) row[key]! += values.data[start + key]! / heads;
        }
      });
    }
  }

  /** (query + 1) */
  private row(layer: number, query: number): Float32Array {
    const start = (query * (query + 1)) / 2;
    return this.layers[layer]!.subarray(start, start + query + 1);
  }

  /**
   * What positions consist of, by source: r · Âₗ for all layers from the last to the first, with
   * Â = residual · 1 + (1 - residual) · A.
   * @param positions each with the same share of the row
   * @returns (T), which sums to 1
   */
  rollout(positions: readonly number[], residual: number): Float32Array {
    let row = new Float64Array(this.length);
    for (const position of positions) row[position]! += 1 / positions.length;
    for (let layer = this.layers.length - 1; layer >= 0; layer--) {
      const next = row.map((share) => residual * share);
      row.forEach((share, query) => {
        if (share === 0) return;
        const weights = this.row(layer, query);
        for (let key = 0; key <= query; key++) next[key]! += (1 - residual) * share * weights[key]!;
      });
      row = next;
    }
    return Float32Array.from(row);
  }
}

/**
 * A rollout with latents opened: what came to a latent comes from what the position before it consists of, which is
 * what it was fed with. From the last latent to the first.
 * @param latents their positions
 */
export function followed(
  means: HeadMeans,
  rollout: Float32Array,
  latents: readonly number[],
  residual: number,
): Float32Array {
  const row = rollout.slice();
  for (const position of latents.toSorted((a, b) => b - a)) {
    const share = row[position] ?? 0;
    if (share === 0) continue;
    row[position] = 0;
    means.rollout([position - 1], residual).forEach((part, source) => (row[source]! += share * part));
  }
  return row;
}

/** Rows of one length as an array (rows, T). */
export function stackRows(rows: readonly Float32Array[], length: number): NumericArray {
  const data = new Float32Array(rows.length * length);
  rows.forEach((row, i) => data.set(row, i * length));
  return { shape: [rows.length, length], data };
}
