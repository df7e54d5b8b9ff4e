/**
 * The vision tower as a graph: patches → merged tokens, for one picture at a time (windows and full
 * attention never cross pictures).
 *
 * The reference permutes all patches into window order and undoes that after the merger. Here the
 * patches keep their order; a windowed block gathers them into equal windows, padded and masked,
 * and gathers them back. The sums are the same, and no inverse permutation can go wrong.
 *
 * Only full attention looks beyond a window. So a large picture is read part by part, in stretches from
 * one full-attention block to the next: a part is some whole windows, and of the others a stretch needs
 * only their keys and values in the block where it begins.
 *
 * Letters: N patches of the picture, S of the part, W windows, P slots per window, C hidden size,
 * H heads, d head size, M = mergeSize² patches per merged token.
 */

import { split } from '../onnx/arithmetic.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import { baseOf } from './bases/all.ts';
import type { Tower } from './bases/base.ts';
import type { VisionConfig } from './config.ts';
import { product, rotate } from './layers.ts';
import type { WeightSource } from './weightSource.ts';

interface Windows {
  /** (W·P): the patch in each slot; 0 in padded slots. */
  slots: Value;
  /** (S): the slot of each patch. */
  places: Value;
  /** (W, 1, 1, P): 0, or very negative for padded slots. */
  mask: Value;
}

/** Names of what is passed on inside a block with full attention; keys and values head by head. */
export function namesAt(block: number, heads: number) {
  const each = (what: string): string[] =>
    Array.from({ length: heads }, (_, head) => `${what}.${block}.${head}`);
  return {
    hidden: `hidden.${block}`, // (S, C)
    queries: `queries.${block}`, // (S, C)
    keys: each('keys'), // (N, d)
    values: each('values'), // (N, d)
  };
}

/** Where a graph begins and ends: inside full-attention blocks, or, where absent, with the tower. */
export interface Stretch {
  /** The block whose queries, keys and values are given. */
  after?: number;
  /** The block whose queries, keys and values are wanted. */
  before?: number;
}

/**
 * The tower for one part of a picture, all of it by default.
 *
 * Inputs: pixels (S, channels · 2 · patch²), or, `after` a block, its hidden and queries of the part and its keys
 * and values of the whole picture; cos, sin (1, S, d/2); slots (W·P), places (S), mask (W, 1, 1, P).
 * Outputs: features (S / M, outputSize), or, `before` a block, its hidden, queries, keys and values of the part; the
 * levels of the blocks that end here.
 * Some bases ask for more inputs, see ./bases.
 */
export function visionGraph(
  config: VisionConfig,
  weights: WeightSource,
  { after, before }: Stretch = {},
): Uint8Array {
  const graph = new GraphBuilder('vision');
  const half = config.hiddenSize / config.heads / 2;
  const cos = graph.input('cos', 'float32', [1, 'S', half]);
  const sin = graph.input('sin', 'float32', [1, 'S', half]);
  const tower: Tower = { graph, config, weights, angles: { cos, sin } };
  const parts = baseOf(config).tower;
  const windows = windowInputs(graph, config);
  const attend: PatchAttend = (index, q, k, v) =>
    windows === undefined || config.fullAttentionBlocks.includes(index)
      ? fullAttention(graph, config, q, headsOf(graph, config, k), headsOf(graph, config, v))
      : windowAttention(graph, config, q, k, v, windows);

  let x =
    after === undefined
      ? parts.embed(tower, graph.input('pixels', 'float32', ['S', pixelsPerPatch(config)]))
      : continueAfter(tower, after);
  if (after !== undefined) levelOutput(tower, after, x);
  for (let index = (after ?? -1) + 1; index < (before ?? config.depth); index++) {
    x = visionBlock(tower, index, x, attend);
    levelOutput(tower, index, x);
  }
  if (before === undefined) graph.output('features', parts.merge(tower, x), ['tokens', config.outputSize]);
  else stopBefore(tower, before, x);
  return graph.build();
}

/** A level of DeepStack, if it is taken after this block (S, C). */
function levelOutput(tower: Tower, block: number, x: Value): void {
  const { graph, config } = tower;
  const level = (config.deepstackBlocks ?? []).indexOf(block);
  if (level < 0) return;
  const { mergeLevel } = baseOf(config).tower;
  if (mergeLevel === undefined) throw new Error('this tower has no levels');
  graph.output(levelName(level), mergeLevel(tower, level, x), ['tokens', config.outputSize]);
}

/** Name of a level's features (S / M, outputSize), in the stretch where its block ends. */
export const levelName = (level: number): string => `level.${level}`;

/** Takes a block up inside its attention. */
function continueAfter(tower: Tower, block: number): Value {
  const { graph, config } = tower;
  const { hiddenSize: C, heads: H } = config;
  const names = namesAt(block, H);
  const ofPart = (name: string): Value => graph.input(name, 'float32', ['S', C]);
  const ofPicture = (name: string): Value => graph.input(name, 'float32', ['N', C / H]);
  const hidden = ofPart(names.hidden);
  const [keys, values] = [names.keys.map(ofPicture), names.values.map(ofPicture)];
  return afterAttention(
    tower,
    block,
    hidden,
    fullAttention(graph, config, ofPart(names.queries), keys, values),
  );
}

/** Leaves a block inside its attention. */
function stopBefore(tower: Tower, block: number, x: Value): void {
  const { graph, config } = tower;
  const { hiddenSize: C, heads: H } = config;
  const names = namesAt(block, H);
  const { queries, keys, values } = queriesKeysValues(tower, block, x);
  graph.output(names.hidden, x, ['S', C]);
  graph.output(names.queries, queries, ['S', C]);
  headsOf(graph, config, keys).forEach((key, head) => graph.output(names.keys[head]!, key, ['S', C / H]));
  headsOf(graph, config, values).forEach((value, head) =>
    graph.output(names.values[head]!, value, ['S', C / H]),
  );
}

/** (N, C) → (N, d) for each head */
function headsOf(graph: GraphBuilder, { hiddenSize: C, heads: H }: VisionConfig, value: Value): Value[] {
  return split(graph, value, new Array<number>(H).fill(C / H), 1);
}

/** The stretches that make up the tower, in order; one if no block has full attention. */
export function stretchesOf({ depth, fullAttentionBlocks }: VisionConfig): Stretch[] {
  const cuts = [...new Set(fullAttentionBlocks)]
    .filter((block) => block >= 0 && block < depth)
    .toSorted((a, b) => a - b);
  return [undefined, ...cuts].map((after, i) => ({
    ...(after !== undefined && { after }),
    ...(cuts[i] !== undefined && { before: cuts[i] }),
  }));
}

/** Numbers in a patch: channels · frames · side². */
export function pixelsPerPatch({ inChannels, temporalPatchSize, patchSize }: VisionConfig): number {
  return inChannels * temporalPatchSize * patchSize * patchSize;
}

/**
 * How a block's patches look at each other.
 * @param q,k (N, C), rotated
 * @param v (N, C)
 * @returns (N, C)
 */
export type PatchAttend = (block: number, q: Value, k: Value, v: Value) => Value;

/** The tower itself: pixels (N, pixels per patch) → features (N / M, outputSize). Angles are (1, N, d/2). */
export function visionTower(
  graph: GraphBuilder,
  config: VisionConfig,
  weights: WeightSource,
  pixels: Value,
  angles: { cos: Value; sin: Value },
  attend: PatchAttend,
): Value {
  const tower: Tower = { graph, config, weights, angles };
  const parts = baseOf(config).tower;
  let x = parts.embed(tower, pixels);
  for (let index = 0; index < config.depth; index++) x = visionBlock(tower, index, x, attend);
  return parts.merge(tower, x);
}

/** Slots of a full window: patches in a square of `windowSize` pixels, whole merged tokens. */
export function slotsPerWindow(config: VisionConfig): number {
  const side = Math.floor(config.windowSize / config.mergeSize / config.patchSize);
  return side * side * config.mergeSize * config.mergeSize;
}

/** Whether any block looks through windows; a graph without such blocks has no window inputs. */
export function hasWindows(config: VisionConfig): boolean {
  return Array.from({ length: config.depth }, (_, i) => i).some(
    (i) => !config.fullAttentionBlocks.includes(i),
  );
}

function windowInputs(graph: GraphBuilder, config: VisionConfig): Windows | undefined {
  if (!hasWindows(config)) return undefined;
  return {
    slots: graph.input('slots', 'int64', ['slots']),
    places: graph.input('places', 'int64', ['S']),
    mask: graph.input('mask', 'float32', ['W', 1, 1, slotsPerWindow(config)]),
  };
}

/** x + attention(norm(x)), then x + mlp(norm(x)) */
function visionBlock(tower: Tower, index: number, x: Value, attend: PatchAttend): Value {
  const { queries, keys, values } = queriesKeysValues(tower, index, x);
  return afterAttention(tower, index, x, attend(index, queries, keys, values));
}

/** A block up to its attention: each (S, C), queries and keys rotated. */
function queriesKeysValues(
  tower: Tower,
  index: number,
  x: Value,
): { queries: Value; keys: Value; values: Value } {
  const { graph, config, weights, angles } = tower;
  const { hiddenSize: C, heads } = config;
  const joined = product(graph, weights, baseOf(config).tower.norm(tower, index, 'norm1', x), {
    name: `visual.blocks.${index}.attn.qkv`,
    rows: 3 * C,
    columns: C,
    bias: true,
  });
  const [q, k, v] = split(graph, joined, [C, C, C], 1);
  const rotated = (value: Value): Value =>
    graph.reshape(rotate(graph, value, angles.cos, angles.sin, heads, C / heads), [-1, C]);
  return { queries: rotated(q!), keys: rotated(k!), values: v! };
}

/** A block from its attention's result (S, C) on. */
function afterAttention(tower: Tower, index: number, x: Value, mixed: Value): Value {
  const { graph, config, weights } = tower;
  const { hiddenSize: C } = config;
  const prefix = `visual.blocks.${index}`;
  const output = product(graph, weights, mixed, {
    name: `${prefix}.attn.proj`,
    rows: C,
    columns: C,
    bias: true,
  });
  const parts = baseOf(config).tower;
  const middle = graph.op('Add', [x, output]);
  const mlp = parts.feedForward(tower, index, parts.norm(tower, index, 'norm2', middle));
  return graph.op('Add', [middle, mlp]);
}

/**
 * Every patch of the part attends to every patch of the picture, one head after another, so that only one
 * head's S · N scores are held at a time. (The runtime's fused MultiHeadAttention is wrong on WebGPU by up to
 * 0.08: docs/log.md.)
 * @param q (S, C)
 * @param keys,values of each head (N, d)
 * @returns (S, C)
 */
function fullAttention(
  graph: GraphBuilder,
  config: VisionConfig,
  q: Value,
  keys: readonly Value[],
  values: readonly Value[],
): Value {
  const { hiddenSize: C, heads: H } = config;
  const scaled = graph.op('Mul', [q, graph.scalar(1 / Math.sqrt(C / H))]);
  const mixed = headsOf(graph, config, scaled).map((query, head) => {
    const scores = graph.op('MatMul', [query, graph.transpose(keys[head]!, [1, 0])]); // (S, N)
    return graph.op('MatMul', [graph.op('Softmax', [scores], { axis: -1 }), values[head]!]); // (S, d)
  });
  return graph.op('Concat', mixed, { axis: 1 }); // (S, C)
}

/** Patches attend to those of their own window. */
function windowAttention(
  graph: GraphBuilder,
  config: VisionConfig,
  q: Value,
  k: Value,
  v: Value,
  { slots, places, mask }: Windows,
): Value {
  const { hiddenSize: C, heads: H } = config;
  const P = slotsPerWindow(config);
  const d = C / H;
  const inWindows = (value: Value, perm: number[]): Value =>
    graph.transpose(graph.reshape(graph.op('Gather', [value, slots]), [-1, P, H, d]), perm);
  const scores = graph.op('MatMul', [inWindows(q, [0, 2, 1, 3]), inWindows(k, [0, 2, 3, 1])]); // (W, H, P, P)
  const scaled = graph.op('Mul', [scores, graph.scalar(1 / Math.sqrt(d))]);
  const probabilities = graph.op('Softmax', [graph.op('Add', [scaled, mask])], { axis: -1 });
  const mixed = graph.op('MatMul', [probabilities, inWindows(v, [0, 2, 1, 3])]); // (W, H, P, d)
  const inSlots = graph.reshape(graph.transpose(mixed, [0, 2, 1, 3]), [-1, C]); // (W·P, C)
  return graph.op('Gather', [inSlots, places]); // (S, C)
}
