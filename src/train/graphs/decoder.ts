/**
 * The decoder over sequences, as the teacher and the student read them: static lengths, every weight
 * an input. A graph reads one part of each sequence of a batch; the keys and values of the parts before
 * it are inputs, and its own are there to be given to the next.
 *
 * An opening part is text and pictures with nothing before it. A later part begins with a latent block
 * that the student makes itself (stage 2): each latent is fed with the hidden state before it, the first
 * one with that of the part before; text follows.
 *
 * Letters: B sequences, T slots read before, K latents, E slots of text, s = K + E slots of the part,
 * C hidden size, H query heads, G key/value heads, R = H / G, d head size, L layers.
 */

import { expand, add, matMul, mul, split, zeros } from '../../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../../onnx/graphBuilder.ts';
import type { TextConfig } from '../../model/config.ts';
import { decoder, embed, type Attend } from '../../model/decoder.ts';
import type { WeightSource } from '../../model/weightSource.ts';

/** Lengths that a graph is built for. */
export interface Part {
  /** B */
  batch: number;
  /** T; 0 in an opening part */
  past: number;
  /** K; 0 in an opening part */
  latents: number;
  /** E */
  text: number;
}

/** s */
export function slotsOf({ latents, text }: Part): number {
  return latents + text;
}

/** Whole sequences of text and pictures. */
export function opening(batch: number, length: number): Part {
  return { batch, past: 0, latents: 0, text: length };
}

interface PartInputs {
  /** (2·L, B, T, G·d): keys and values of layer 0, of layer 1 … */
  past: Value;
  /** (B, C), which the first latents are fed with */
  before: Value;
}

export interface PartRead {
  /** (B·s, C) after the final norm */
  hidden: Value;
  /** (2·L, B, s, G·d), laid out as the past is */
  keysAndValues: Value;
  /** Those that something flows back into; absent in an opening part. */
  inputs?: PartInputs;
  /** (B·s, C), what an opening part reads in place of embeddings. */
  fed?: Value;
}

/**
 * Adds the graph's inputs and reads the parts.
 * Inputs: ids (B·E, 1); cos, sin (1, B·s, d/2); mask (s, s), what a slot sees of its own part.
 * Of an opening part besides: keep (B·s, 1), 1 where the id's embedding stands and 0 where `fed` does;
 * fed (B·s, C), the vectors of pictures and given latents, or what `fedBy` makes of them.
 * Of a later part besides: past and before, see PartInputs; seen (B, 1, 2, T), added to the scores of its
 * latents and of its text.
 */
export function readPart(
  graph: GraphBuilder,
  config: TextConfig,
  weights: WeightSource,
  part: Part,
  fedBy: FedBy = fedVectors,
): PartRead {
  const { batch: B, latents: K, text: E } = part;
  const { hiddenSize: C, headSize } = config;
  const half = headSize / 2;
  const s = slotsOf(part);
  const lengths = [...new Array<number>(K).fill(1), E];
  const fed = K > 0 ? undefined : fedBy(graph, [B * E, C]);
  const text = textVectors(graph, config, weights, part, fed); // (B·E, C)
  const [cos, sin] = ['cos', 'sin'].map((name) =>
    cut(graph, graph.input(name, 'float32', [1, B * s, half]), B, lengths),
  );
  const inputs = K === 0 ? undefined : pastInputs(graph, config, part);
  const memory = new Memory(graph, config, part, inputs?.past);
  const hidden: Value[] = []; // each (B · its length, C)
  lengths.forEach((length, i) => {
    const rows = [1, B * length, half];
    const turn = { cos: graph.reshape(cos![i]!, rows), sin: graph.reshape(sin![i]!, rows) };
    const x = i < K ? (hidden.at(-1) ?? inputs!.before) : text;
    hidden.push(decoder(graph, config, weights, { embeddings: x }, turn, memory.attend(i, length)));
  });
  const joined = concat(
    graph,
    hidden.map((value) => graph.reshape(value, [B, -1, C])),
    1,
  );
  return {
    hidden: graph.reshape(joined, [B * s, C]),
    keysAndValues: memory.keysAndValues(),
    ...(inputs && { inputs }),
    ...(fed !== undefined && { fed }),
  };
}

type FedBy = (graph: GraphBuilder, shape: [rows: number, width: number]) => Value;

const fedVectors: FedBy = (graph, shape) => graph.input('fed', 'float32', shape);

/** Embeddings of the text, and of an opening part the vectors that stand in their place. */
function textVectors(
  graph: GraphBuilder,
  config: TextConfig,
  weights: WeightSource,
  { batch, text }: Part,
  fed: Value | undefined,
): Value {
  const { hiddenSize: C } = config;
  const rows = batch * text;
  const ids = graph.input('ids', 'int64', [rows, 1]);
  const table = graph.reshape(embed(graph, config, weights, ids), [-1, C]);
  if (fed === undefined) return table;
  const keep = graph.input('keep', 'float32', [rows, 1]);
  return add(graph, mul(graph, table, keep), fed);
}

function pastInputs(
  graph: GraphBuilder,
  { layers, kvHeads, headSize, hiddenSize }: TextConfig,
  { batch, past }: Part,
): PartInputs {
  return {
    past: graph.input('past', 'float32', [2 * layers, batch, past, kvHeads * headSize]),
    before: graph.input('before', 'float32', [batch, hiddenSize]),
  };
}

/** Of one key/value head. */
interface KeysAndValues {
  /** (B, d, slots) */
  key: Value;
  /** (B, slots, d) */
  value: Value;
}

/**
 * Keys and values of the past and of what the part has read so far, by layer and key/value head. Each of these
 * heads has its own products: the queries that read it stand together in a row, (B · length, R·d), which is
 * (B, length·R, d) without moving a number. All heads in one product would have to be transposed.
 */
class Memory {
  private readonly graph: GraphBuilder;
  private readonly config: TextConfig;
  private readonly part: Part;
  /** To add to the scores, by piece: each latent is one, the text another. (…, its length · R, slots) */
  private readonly masks: Value[];
  private readonly past: KeysAndValues[][];
  private readonly own: KeysAndValues[][] = [];
  /** (B, slots, G·d) of each piece, by layer: keys, values */
  private readonly pieces: [Value[], Value[]][];

  constructor(graph: GraphBuilder, config: TextConfig, part: Part, past: Value | undefined) {
    this.graph = graph;
    this.config = config;
    this.part = part;
    this.masks = masksOf(graph, part, config.heads / config.kvHeads);
    this.pieces = Array.from({ length: config.layers }, () => [[], []]);
    this.past = past === undefined ? [] : this.layersOf(past);
  }

  /** softmax(q kᵀ / √d + mask) v over the past and what the part has read up to the end of this piece. */
  attend(piece: number, length: number): Attend {
    return (layer, q, k, v) => {
      const own = this.extend(layer, length, k, v);
      const mixed = this.byHead(q, length).map((queries, head) => {
        const past = this.past[layer]?.[head];
        const read = past === undefined ? [own[head]!] : [past, own[head]!];
        return this.read(read, queries, piece, length);
      });
      return concat(this.graph, mixed, 1); // (B · length, H·d)
    };
  }

  /** (2·L, B, s, G·d) */
  keysAndValues(): Value {
    const { graph } = this;
    const layers = this.pieces.flatMap((both) => both.map((parts) => concat(graph, parts, 1)));
    const { kvHeads: G, headSize: d } = this.config;
    const shape = [1, this.part.batch, slotsOf(this.part), G * d];
    return concat(
      graph,
      layers.map((value) => graph.reshape(value, shape)),
      0,
    );
  }

  /** What the queries (B, length·R, d) of one head read, (B · length, R·d). */
  private read(read: readonly KeysAndValues[], queries: Value, piece: number, length: number): Value {
    const { graph } = this;
    const { batch: B } = this.part;
    // The scale right after the product, which the runtime then joins with it.
    const scores = concat(
      graph,
      read.map(({ key }) => mul(graph, matMul(graph, queries, key), 1 / Math.sqrt(this.config.headSize))),
      2,
    ); // (B, length·R, slots)
    const masked = add(graph, scores, this.masks[piece]!);
    const probabilities = graph.op('Softmax', [masked], { axis: -1 });
    return graph.reshape(this.mix(read, probabilities, piece, length), [B * length, -1]);
  }

  private mix(read: readonly KeysAndValues[], shares: Value, piece: number, length: number): Value {
    const { graph, part } = this;
    if (read.length === 1) return matMul(graph, shares, read[0]!.value);
    const own = piece < part.latents ? piece + 1 : part.latents + length;
    const parts = split(graph, shares, [part.past, own], 2);
    const [before, since] = parts.map((share, i) => matMul(graph, share, read[i]!.value));
    return add(graph, before!, since!);
  }

  /** Adds a piece's keys and values (B · length, G, d) to the layer's own. */
  private extend(layer: number, length: number, k: Value, v: Value): KeysAndValues[] {
    const { graph } = this;
    const { batch: B } = this.part;
    const { kvHeads: G, headSize: d } = this.config;
    [k, v].forEach((value, i) => this.pieces[layer]![i]!.push(graph.reshape(value, [B, length, G * d])));
    const added = this.heads(k, v, length);
    const before = this.own[layer];
    return (this.own[layer] =
      before === undefined
        ? added
        : added.map(({ key, value }, head) => ({
            key: concat(graph, [before[head]!.key, key], 2),
            value: concat(graph, [before[head]!.value, value], 1),
          })));
  }

  /** @param k,v what is (B · length, G·d) in whatever shape */
  private heads(k: Value, v: Value, length: number): KeysAndValues[] {
    const [keys, values] = [k, v].map((value) => this.byHead(value, length));
    return keys!.map((key, head) => ({
      key: this.graph.transpose(key, [0, 2, 1]),
      value: values![head]!,
    }));
  }

  /** Rows (B · length, G·n·d) → for each key/value head (B, length·n, d) */
  private byHead(rows: Value, length: number): Value[] {
    const { graph } = this;
    const { batch: B } = this.part;
    const { kvHeads: G, headSize: d } = this.config;
    const heads = split(graph, graph.reshape(rows, [B * length, G, -1]), new Array<number>(G).fill(1), 1);
    return heads.map((head) => graph.reshape(head, [B, -1, d]));
  }

  private layersOf(past: Value): KeysAndValues[][] {
    const { layers } = this.config;
    const parts = split(this.graph, past, new Array<number>(2 * layers).fill(1), 0);
    return Array.from({ length: layers }, (_, layer) =>
      this.heads(parts[2 * layer]!, parts[2 * layer + 1]!, this.part.past),
    );
  }
}

/**
 * By piece, what is added to its scores (…, its length · R, T + slots read up to its end): the R queries of a slot
 * that read one head see the same.
 */
function masksOf(graph: GraphBuilder, part: Part, R: number): Value[] {
  const { batch: B, past: T, latents: K, text: E } = part;
  const s = slotsOf(part);
  const mask = graph.input('mask', 'float32', [s, s]);
  const ofQueries = (value: Value, rows: number, slots: number): Value =>
    graph.reshape(expand(graph, graph.reshape(value, [-1, rows, 1, slots]), [1, rows, R, slots]), [
      -1,
      rows * R,
      slots,
    ]);
  if (K === 0) return [ofQueries(mask, s, s)];
  const [seen, seenByText] = split(graph, graph.input('seen', 'float32', [B, 1, 2, T]), [1, 1], 2);
  // A latent sees all of its part that was read before it.
  const latents = Array.from({ length: K }, (_, i) =>
    ofQueries(concat(graph, [seen!, zeros(graph, [B, 1, 1, i + 1])], 3), 1, T + i + 1),
  );
  const ofText = graph.reshape(split(graph, mask, [K, E], 0)[1]!, [1, 1, E, s]);
  const both = [expand(graph, seenByText!, [B, 1, E, T]), expand(graph, ofText, [B, 1, E, s])];
  return [...latents, ofQueries(concat(graph, both, 3), E, T + s)];
}

/** (1, B·s, width) → (B, length, width) for each length */
function cut(graph: GraphBuilder, value: Value, batch: number, lengths: readonly number[]): Value[] {
  if (lengths.length === 1) return [value];
  return split(graph, graph.reshape(value, [batch, lengths.reduce((a, b) => a + b, 0), -1]), lengths, 1);
}

function concat(graph: GraphBuilder, parts: readonly Value[], axis: number): Value {
  return parts.length === 1 ? parts[0]! : graph.op('Concat', parts, { axis });
}
