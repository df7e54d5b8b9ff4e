/** Sequences as inputs of a graph that ./reading.ts built: padded to its length, in its batch. */

import type { TextConfig } from '../model/config.ts';
import { MASKED, textRotation, type Position } from '../model/positions.ts';
import { floatTensor, intTensor, type RuntimeTensor } from '../ort/session.ts';
import { lengthOf, type Layout } from './reading.ts';

export type Feeds = Record<string, RuntimeTensor>;

export interface Input {
  ids: readonly number[];
  positions: readonly Position[];
  /** Vectors that stand in place of the id's embedding, by index: pictures, given latents. */
  fed: ReadonlyMap<number, Float32Array>;
  /** Indices where something else stands in place of the id's embedding: see `fedBy` of readSequences. */
  replaced?: ReadonlySet<number>;
}

/**
 * Lengths that graphs are built for: padding costs little, a graph per length would cost much.
 * Padded positions come last, so that no real one sees them.
 */
export function padded(length: number, step = 32): number {
  return Math.ceil(length / step) * step;
}

/** One input per sequence of the batch; a missing one is all padding. */
export function sequenceFeeds(config: TextConfig, layout: Layout, inputs: readonly Input[]): Feeds {
  const S = lengthOf(layout);
  const N = layout.batch * S;
  const { hiddenSize: C, headSize } = config;
  const ids = new BigInt64Array(N);
  const keep = new Float32Array(N);
  const fed = new Float32Array(N * C);
  const positions = Array.from({ length: N }, (): Position => [0, 0, 0]);
  inputs.forEach((input, b) => {
    input.ids.forEach((id, i) => {
      const row = b * S + i;
      const vector = input.fed.get(i);
      ids[row] = BigInt(id);
      positions[row] = input.positions[i]!;
      if (vector !== undefined) fed.set(vector, row * C);
      else if (!input.replaced?.has(i)) keep[row] = 1;
    });
  });
  const { cos, sin } = textRotation(config, positions);
  return {
    ids: intTensor(ids, [N, 1]),
    keep: floatTensor(keep, [N, 1]),
    fed: floatTensor(fed, [N, C]),
    cos: floatTensor(cos, [1, N, headSize / 2]),
    sin: floatTensor(sin, [1, N, headSize / 2]),
    mask: floatTensor(causalMask(S), [S, S]),
  };
}

/** (S, S): 0 for what a position may see, which is itself and what came before. */
function causalMask(length: number): Float32Array {
  const mask = new Float32Array(length * length);
  for (let row = 0; row < length; row++) mask.fill(MASKED, row * length + row + 1, (row + 1) * length);
  return mask;
}
