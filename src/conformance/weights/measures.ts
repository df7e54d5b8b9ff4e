/** How far one model's run is from another's over the same words: plain measures, each with its unit. */

import { argMax, softmax } from '../../inference/logitRules.ts';
import type { NumericArray } from '../../tensor/array.ts';
import type { PicturePlace, WeightsRun } from './run.ts';

/** What a layer gives, and what it looks at. */
export interface LayerDifference {
  /** From 1. */
  layer: number;
  /** ‖b − a‖ / ‖a‖ of the states after it. */
  hidden: number;
  /** Total variation of its attention rows, from 0 to 1: mean over heads and positions, and the largest. */
  attention: number;
  attentionMost: number;
}

/** A word of the answer. */
export interface WordDifference {
  /** Among the new tokens. */
  index: number;
  id: number;
  /** KL(a ‖ b) of the next word, nats. */
  divergence: number;
  /** Whether b's likeliest word is a's. */
  sameChoice: boolean;
}

/** A latent's vector, and its map over a picture in one layer, heads averaged. */
export interface LatentDifference {
  /** Among the new tokens. */
  index: number;
  /** ‖b − a‖ / ‖a‖ */
  vector: number;
  maps: MapDifference[];
}

export interface MapDifference {
  picture: string;
  /** Share of attention on it, of a and of b. */
  mass: [number, number];
  /** Total variation of the maps, each made to sum to 1: the share that lies elsewhere. */
  moved: number;
  /** Patch with the most, rows and columns from 1. */
  peak: [Place, Place];
}

interface Place {
  row: number;
  column: number;
}

/** ‖b − a‖ / ‖a‖; 0 of nothing. */
export function relativeError(pairs: Iterable<readonly [a: Float32Array, b: Float32Array]>): number {
  let [error, size] = [0, 0];
  for (const [a, b] of pairs) {
    if (a.length !== b.length) throw new Error(`${a.length} numbers against ${b.length}`);
    a.forEach((value, i) => {
      error += (b[i]! - value) ** 2;
      size += value ** 2;
    });
  }
  return size === 0 ? 0 : Math.sqrt(error / size);
}

/** ½ Σ |a − b| */
export function totalVariation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / 2;
}

export function layerDifferences(a: WeightsRun, b: WeightsRun): LayerDifference[] {
  const layers = a.readings[0]?.states.length ?? 0;
  return Array.from({ length: layers }, (_, layer) => {
    const states = a.readings.map(
      (reading, i) => [reading.states[layer]!, b.readings[i]!.states[layer]!] as const,
    );
    const rows = a.readings.flatMap((reading, i) =>
      headRows(reading.attention, layer).map((row, head) =>
        totalVariation(row, headRows(b.readings[i]!.attention, layer)[head]!),
      ),
    );
    return {
      layer: layer + 1,
      hidden: relativeError(states),
      attention: rows.reduce((sum, value) => sum + value, 0) / rows.length,
      attentionMost: Math.max(...rows),
    };
  });
}

/** Rows (keys) of a layer's heads. */
function headRows({ shape, data }: NumericArray, layer: number): Float32Array[] {
  const [, heads = 0, keys = 0] = shape;
  return Array.from({ length: heads }, (_, head) => {
    const at = (layer * heads + head) * keys;
    return data.subarray(at, at + keys);
  });
}

export function wordDifferences(a: WeightsRun, b: WeightsRun): WordDifference[] {
  return [...a.logits].flatMap(([index, logits]) => {
    const others = b.logits.get(index);
    if (others === undefined) return [];
    return {
      index,
      id: a.tokens[index]!.id,
      divergence: divergence(logits, others),
      sameChoice: argMax(logits) === argMax(others),
    };
  });
}

/** KL(p ‖ q) of the softmaxes of two rows of logits, in nats. */
export function divergence(a: Float32Array, b: Float32Array): number {
  const [p, q] = [softmax(a), softmax(b)];
  let sum = 0;
  // Where p is 0, so is its share; q is nowhere 0 but where float64 ends.
  p.forEach((share, i) => {
    if (share > 0) sum += share * Math.log(share / Math.max(q[i]!, Number.MIN_VALUE));
  });
  return Math.max(0, sum);
}

/**
 * What changes in the latents and in their maps.
 * @param layer from 1
 */
export function latentDifferences(a: WeightsRun, b: WeightsRun, layer: number): LatentDifference[] {
  return [...a.latents].flatMap(([index, vector]) => {
    const other = b.latents.get(index);
    // Its own query is the position after that which it was chosen from.
    const [own, others] = [a, b].map(({ readings }) => readings[index + 1]);
    if (other === undefined || own === undefined || others === undefined) return [];
    const [rowA, rowB] = [own, others].map(({ attention }) => meanRow(attention, layer));
    return {
      index,
      vector: relativeError([[vector, other]]),
      maps: a.pictures.map((picture) => mapDifference(picture, rowA!, rowB!)),
    };
  });
}

function mapDifference(picture: PicturePlace, rowA: Float64Array, rowB: Float64Array): MapDifference {
  const { name, start, rows, columns } = picture;
  const [mapA, mapB] = [rowA, rowB].map((row) => row.subarray(start, start + rows * columns));
  const [massA, massB] = [mapA!, mapB!].map((map) => map.reduce((sum, value) => sum + value, 0));
  const place = (map: Float64Array): Place => {
    const peak = argMax(map);
    return { row: Math.floor(peak / columns) + 1, column: (peak % columns) + 1 };
  };
  return {
    picture: name,
    mass: [massA!, massB!],
    moved: totalVariation(
      mapA!.map((value) => value / massA!),
      mapB!.map((value) => value / massB!),
    ),
    peak: [place(mapA!), place(mapB!)],
  };
}

/** Attention (keys) of a layer, from 1, heads averaged. */
function meanRow(attention: NumericArray, layer: number): Float64Array {
  const rows = headRows(attention, layer - 1);
  const mean = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows) row.forEach((value, i) => (mean[i]! += value / rows.length));
  return mean;
}

/** The layer, from 1, whose latents look at the pictures most; the last one without any. */
export function lookingLayer({ readings, latents, pictures }: WeightsRun): number {
  const layers = readings[0]?.states.length ?? 0;
  const masses = Array.from({ length: layers }, (_, i) => {
    let mass = 0;
    for (const index of latents.keys()) {
      const reading = readings[index + 1];
      if (reading === undefined) continue;
      const row = meanRow(reading.attention, i + 1);
      for (const { start, rows, columns } of pictures)
        mass += row.subarray(start, start + rows * columns).reduce((sum, value) => sum + value, 0);
    }
    return mass;
  });
  const most = Math.max(0, ...masses);
  return most > 0 ? masses.indexOf(most) + 1 : layers;
}
