/**
 * The trainer's rule that picks, from a helper image's features, those that supervise a latent
 * (arXiv 2512.05665 and its code). Shown with the latent itself as the query, it is the
 * "selection" heatmap; with the teacher's query it is what the teacher selected.
 */

import { dot, type NumericArray } from '../tensor/array.ts';

/** From this many candidates on, neighbours are averaged down to this many. */
export const CANDIDATE_LIMIT = 256;

export interface SelectionSettings {
  /** K: most features selected. */
  count: number;
  /** Cumulative probability at which to stop earlier. */
  coverage: number;
  temperature: number;
}

/** The release's values: no temperature, coverage 0.9. */
export const RELEASED_SELECTION = { coverage: 0.9, temperature: 1 } as const;

export interface Selection {
  /** Tokens averaged into one candidate. */
  groupSize: number;
  /** (candidates) */
  cosines: Float32Array;
  /** (candidates), softmax of the cosines */
  probabilities: Float32Array;
  /** Indices of the selected candidates, most similar first. */
  selected: number[];
}

/**
 * Contiguous raster runs averaged to CANDIDATE_LIMIT candidates; a remainder at the end is dropped.
 * Fewer features are candidates as they are.
 * @param features (tokens, C)
 */
export function candidatesOf(features: NumericArray): { candidates: NumericArray; groupSize: number } {
  const [tokens = 0, width = 0] = features.shape;
  if (tokens < CANDIDATE_LIMIT) return { candidates: features, groupSize: 1 };
  const groupSize = Math.floor(tokens / CANDIDATE_LIMIT);
  const data = new Float32Array(CANDIDATE_LIMIT * width);
  for (let candidate = 0; candidate < CANDIDATE_LIMIT; candidate++) {
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (let i = 0; i < groupSize; i++) sum += features.data[(candidate * groupSize + i) * width + c]!;
      data[candidate * width + c] = sum / groupSize;
    }
  }
  return { candidates: { shape: [CANDIDATE_LIMIT, width], data }, groupSize };
}

/** cos(query, row) for every row of (N, C). */
export function cosines(query: Float32Array, rows: NumericArray): Float32Array {
  const [count = 0, width = 0] = rows.shape;
  const length = Math.sqrt(dot(query, 0, query, 0, width));
  return Float32Array.from({ length: count }, (_, i) => {
    const norm = Math.sqrt(dot(rows.data, i * width, rows.data, i * width, width));
    return dot(query, 0, rows.data, i * width, width) / Math.max(length * norm, 1e-12);
  });
}

/** The rule for a query and a picture's features (tokens, C). */
export function select(query: Float32Array, features: NumericArray, settings: SelectionSettings): Selection {
  const { candidates, groupSize } = candidatesOf(features);
  return { groupSize, ...selectByCosine(cosines(query, candidates), settings) };
}

/** p = softmax(s / temperature); the smallest set that covers enough of it, but at most `count`. */
export function selectByCosine(
  similarity: Float32Array,
  settings: SelectionSettings,
): Omit<Selection, 'groupSize'> {
  const weights = similarity.map((value) => Math.exp((value - 1) / settings.temperature));
  const total = weights.reduce((sum, value) => sum + value, 0);
  const probabilities = weights.map((value) => value / total);
  const order = [...similarity.keys()].toSorted((a, b) => similarity[b]! - similarity[a]! || a - b);
  const selected: number[] = [];
  let covered = 0;
  for (const index of order) {
    if (selected.length === settings.count || covered >= settings.coverage) break;
    selected.push(index);
    covered += probabilities[index]!;
  }
  return { cosines: similarity, probabilities, selected };
}
