/** Parts of sequences as inputs of the graphs that ./reading.ts builds. */

import type { TextConfig } from '../model/config.ts';
import { visible, type LatentReach } from '../model/latentReach.ts';
import { MASKED, textRotation, type Position } from '../model/positions.ts';
import { floatTensor, intTensor, type RuntimeTensor } from '../ort/session.ts';
import { rowOf, type BatchPart } from './parts.ts';
import { slotsOf, type Part } from './reading.ts';

export type Feeds = Record<string, RuntimeTensor>;

export interface Input {
  ids: readonly number[];
  positions: readonly Position[];
  /** Vectors that stand in place of the id's embedding, by index: pictures, given latents. */
  fed: ReadonlyMap<number, Float32Array>;
  /** Indices where something else stands in place of the id's embedding: see `fedBy` of readPart. */
  replaced?: ReadonlySet<number>;
}

/** All inputs of an opening part; of a later one, those that do not come from the part before. */
export function partFeeds(
  config: TextConfig,
  part: BatchPart,
  inputs: readonly Input[],
  reach?: LatentReach,
): Feeds {
  const { size, ranges } = part;
  const s = slotsOf(size);
  const N = size.batch * s;
  const half = config.headSize / 2;
  const ids = new BigInt64Array(size.batch * size.text);
  const positions = Array.from({ length: N }, (): Position => [0, 0, 0]);
  inputs.forEach((input, b) => {
    const { start, end } = ranges[b]!;
    for (let i = start; i < end; i++) {
      positions[rowOf(part, b, i)] = input.positions[i]!;
      const place = i - start - size.latents;
      if (place >= 0) ids[b * size.text + place] = BigInt(input.ids[i]!);
    }
  });
  const { cos, sin } = textRotation(config, positions);
  return {
    ids: intTensor(ids, [ids.length, 1]),
    cos: floatTensor(cos, [1, N, half]),
    sin: floatTensor(sin, [1, N, half]),
    mask: floatTensor(maskOf(size, reach), [s, s]),
    ...(size.latents === 0 && vectorFeeds(config.hiddenSize, part, inputs)),
  };
}

function vectorFeeds(width: number, part: BatchPart, inputs: readonly Input[]): Feeds {
  const rows = part.size.batch * slotsOf(part.size);
  const keep = new Float32Array(rows);
  const fed = new Float32Array(rows * width);
  inputs.forEach((input, b) => {
    const { start, end } = part.ranges[b]!;
    for (let i = start; i < end; i++) {
      const row = rowOf(part, b, i);
      const vector = input.fed.get(i);
      if (vector !== undefined) fed.set(vector, row * width);
      else if (!input.replaced?.has(i)) keep[row] = 1;
    }
  });
  return { keep: floatTensor(keep, [rows, 1]), fed: floatTensor(fed, [rows, width]) };
}

/** (s, s): 0 for what a slot sees of its own part: itself and, as far as a control model's reach lets it, those before. */
function maskOf(part: Part, reach: LatentReach | undefined): Float32Array {
  const s = slotsOf(part);
  const blocks = part.latents === 0 ? [] : [{ first: 0, pads: part.latents, end: part.latents }];
  const mask = new Float32Array(s * s);
  for (let query = 0; query < s; query++) {
    for (let key = 0; key < s; key++) if (!visible(query, key, blocks, reach)) mask[query * s + key] = MASKED;
  }
  return mask;
}
