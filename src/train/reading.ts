/**
 * The decoder over whole sequences, as the teacher and the student read them: static lengths, no
 * cache that outlives the graph, every weight an input.
 *
 * A sequence is read in segments, each of which sees the keys and values of those before it. Reading
 * in one segment is the teacher-forced pass; a segment of length 1 that takes the hidden state before
 * it instead of an embedding is a latent that the student made itself (stage 2).
 *
 * Letters: B sequences, S positions, C hidden size, H query heads, K key/value heads, R = H / K,
 * d head size, s positions of a segment, T those read up to its end.
 */

import { add, matMul, mul, split } from '../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import type { TextConfig } from '../model/config.ts';
import { decoder, embed, type Attend } from '../model/decoder.ts';
import type { WeightSource } from '../model/weightSource.ts';

/** Lengths that a graph is built for. */
export interface Layout {
  /** B */
  batch: number;
  segments: readonly Segment[];
}

export interface Segment {
  length: number;
  /** Fed with the hidden state before it; such a segment has length 1. */
  latent: boolean;
}

/** S */
export function lengthOf(layout: Layout): number {
  return layout.segments.reduce((sum, { length }) => sum + length, 0);
}

/** A sequence in one segment. */
export function whole(batch: number, length: number): Layout {
  return { batch, segments: [{ length, latent: false }] };
}

/** A sequence of `length` whose blocks begin at the given pads: each latent is a segment of its own. */
export function unrolled(
  batch: number,
  length: number,
  blocks: readonly number[],
  latentSize: number,
): Layout {
  const segments: Segment[] = [];
  let read = 0;
  for (const start of blocks) {
    segments.push({ length: start - read, latent: false });
    for (let i = 0; i < latentSize; i++) segments.push({ length: 1, latent: true });
    read = start + latentSize;
  }
  segments.push({ length: length - read, latent: false });
  return { batch, segments };
}

/**
 * Adds the graph's inputs and reads the sequences.
 * Inputs: ids (B·S, 1); keep (B·S, 1), 1 where the id's embedding stands and 0 where `fed` does;
 * fed (B·S, C), the vectors of pictures and given latents, or what `fedBy` makes of them; cos, sin (1, B·S, d/2); mask (S, S).
 * @returns hidden (B·S, C) after the final norm
 */
export function readSequences(
  graph: GraphBuilder,
  config: TextConfig,
  weights: WeightSource,
  layout: Layout,
  fedBy: (graph: GraphBuilder, shape: [rows: number, width: number]) => Value = fedVectors,
): Value {
  const { batch: B, segments } = layout;
  const { hiddenSize: C, headSize } = config;
  const S = lengthOf(layout);
  const half = headSize / 2;
  const ids = graph.input('ids', 'int64', [B * S, 1]);
  const keep = graph.input('keep', 'float32', [B * S, 1]);
  const fed = fedBy(graph, [B * S, C]);
  const angles = ['cos', 'sin'].map((name) => graph.input(name, 'float32', [1, B * S, half]));
  const mask = graph.input('mask', 'float32', [S, S]);

  const table = graph.reshape(embed(graph, config, weights, ids), [-1, C]); // (B·S, C)
  const x = cut(graph, add(graph, mul(graph, table, keep), fed), layout, C);
  const [cos, sin] = angles.map((value) => cut(graph, value, layout, half));
  const memory = new Memory(graph, config, layout, mask);
  const hidden: Value[] = []; // each (B·s, C)
  segments.forEach(({ length, latent }, i) => {
    const rows = [1, B * length, half];
    const turn = { cos: graph.reshape(cos![i]!, rows), sin: graph.reshape(sin![i]!, rows) };
    const input = latent ? lastRows(graph, hidden.at(-1)!, B, segments[i - 1]!.length, C) : x[i]!;
    hidden.push(decoder(graph, config, weights, input, turn, memory.attend(i)));
  });
  return join(graph, hidden, layout, C);
}

const fedVectors = (graph: GraphBuilder, shape: [number, number]): Value =>
  graph.input('fed', 'float32', shape);

/** Keys and values of the segments read so far, by layer. */
class Memory {
  private readonly graph: GraphBuilder;
  private readonly config: TextConfig;
  private readonly layout: Layout;
  /** (s, T) of each segment */
  private readonly masks: Value[];
  private readonly keys: Value[] = []; // (B, K, d, T)
  private readonly values: Value[] = []; // (B, K, T, d)

  constructor(graph: GraphBuilder, config: TextConfig, layout: Layout, mask: Value) {
    this.graph = graph;
    this.config = config;
    this.layout = layout;
    this.masks = masksOf(graph, layout, mask);
  }

  /** softmax(q kᵀ / √d + mask) v over all that was read up to the end of segment `index`. */
  attend(index: number): Attend {
    const { graph, layout } = this;
    const { heads: H, kvHeads: K, headSize: d } = this.config;
    const { length: s, latent } = layout.segments[index]!;
    const B = layout.batch;
    const R = H / K;
    return (layer, q, k, v) => {
      const heads = (value: Value, perm: number[]): Value =>
        graph.transpose(graph.reshape(value, [B, s, K, d]), perm);
      const key = this.extend(this.keys, layer, heads(k, [0, 2, 3, 1]), 3); // (B, K, d, T)
      const value = this.extend(this.values, layer, heads(v, [0, 2, 1, 3]), 2); // (B, K, T, d)
      const grouped = graph.transpose(graph.reshape(q, [B, s, H, d]), [0, 2, 1, 3]); // (B, K·R, s, d)
      // The scale right after the product, which the runtime then joins with it.
      const scores = mul(
        graph,
        matMul(graph, graph.reshape(grouped, [B, K, R * s, d]), key),
        1 / Math.sqrt(d),
      ); // (B, K, R·s, T)
      const scaled = graph.reshape(scores, [B, H, s, -1]);
      // A latent is the last position there is: it sees everything.
      const masked = latent ? scaled : add(graph, scaled, this.masks[index]!);
      const probabilities = graph.op('Softmax', [masked], { axis: -1 }); // (B, H, s, T)
      const mixed = matMul(graph, graph.reshape(probabilities, [B, K, R * s, -1]), value); // (B, K, R·s, d)
      const joined = graph.transpose(graph.reshape(mixed, [B, H, s, d]), [0, 2, 1, 3]); // (B, s, H, d)
      return graph.reshape(joined, [B * s, H * d]);
    };
  }

  private extend(parts: Value[], layer: number, added: Value, axis: number): Value {
    const before = parts[layer];
    return (parts[layer] = before === undefined ? added : this.graph.op('Concat', [before, added], { axis }));
  }
}

/** mask (S, S) → for each segment its rows and the columns read up to its end. */
function masksOf(graph: GraphBuilder, { segments }: Layout, mask: Value): Value[] {
  if (segments.length === 1) return [mask];
  const lengths = segments.map(({ length }) => length);
  const rows = split(graph, mask, lengths, 0);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let end = 0;
  return rows.map((value, i) => {
    end += lengths[i]!;
    if (end === total) return value;
    return split(graph, value, [end, total - end], 1)[0]!;
  });
}

/** (B·S, width) → (B·s, width) for each segment */
function cut(graph: GraphBuilder, value: Value, { batch, segments }: Layout, width: number): Value[] {
  if (segments.length === 1) return [value];
  const lengths = segments.map(({ length }) => length);
  const sequences = graph.reshape(value, [batch, -1, width]);
  return split(graph, sequences, lengths, 1).map((part) => graph.reshape(part, [-1, width]));
}

/** The segments' rows (B·s, width) → (B·S, width) */
function join(graph: GraphBuilder, parts: readonly Value[], { batch }: Layout, width: number): Value {
  if (parts.length === 1) return parts[0]!;
  const sequences = parts.map((part) => graph.reshape(part, [batch, -1, width]));
  return graph.reshape(graph.op('Concat', sequences, { axis: 1 }), [-1, width]);
}

/** The last of each sequence's rows: (B·s, C) → (B, C) */
function lastRows(graph: GraphBuilder, value: Value, batch: number, length: number, width: number): Value {
  if (length === 1) return value;
  const sequences = graph.reshape(value, [batch, length, width]);
  const last = split(graph, sequences, [length - 1, 1], 1)[1]!;
  return graph.reshape(last, [batch, width]);
}
