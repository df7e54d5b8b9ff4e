/**
 * The vision tower as a graph: patches → merged tokens, for one picture at a time (windows and full
 * attention never cross pictures).
 *
 * The reference permutes all patches into window order and undoes that after the merger. Here the
 * patches keep their order; a windowed block gathers them into equal windows, padded and masked,
 * and gathers them back. The sums are the same, and no inverse permutation can go wrong.
 *
 * Letters: N patches, W windows, P slots per window, C hidden size, H heads, d head size,
 * M = mergeSize² patches per merged token.
 */

import { split } from '../onnx/arithmetic.ts';
import { GraphBuilder, type Value } from '../onnx/graphBuilder.ts';
import type { VisionConfig } from './config.ts';
import { linear, product, rmsNorm, rotate, swiGlu, type Matrix } from './layers.ts';
import type { WeightSource } from './weightSource.ts';

interface Windows {
  /** (W·P): the patch in each slot; 0 in padded slots. */
  slots: Value;
  /** (N): the slot of each patch. */
  places: Value;
  /** (W, 1, 1, P): 0, or very negative for padded slots. */
  mask: Value;
}

/**
 * Inputs: pixels (N, channels · 2 · patch²); cos, sin (1, N, d/2); slots (W·P), places (N), mask (W, 1, 1, P).
 * Output: features (N / M, outputSize).
 */
export function visionGraph(config: VisionConfig, weights: WeightSource): Uint8Array {
  const graph = new GraphBuilder('vision');
  const half = config.hiddenSize / config.heads / 2;
  const cos = graph.input('cos', 'float32', [1, 'N', half]);
  const sin = graph.input('sin', 'float32', [1, 'N', half]);
  const windows = windowInputs(graph, config);

  const pixels = graph.input('pixels', 'float32', ['N', pixelsPerPatch(config)]);
  const features = visionTower(graph, config, weights, pixels, { cos, sin }, (index, q, k, v) =>
    windows === undefined || config.fullAttentionBlocks.includes(index)
      ? fullAttention(graph, config, q, k, v)
      : windowAttention(graph, config, q, k, v, windows),
  );
  graph.output('features', features, ['tokens', config.outputSize]);
  return graph.build();
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
  const { hiddenSize: C, inChannels, temporalPatchSize, patchSize } = config;
  // A convolution whose stride is its kernel is a product with the flattened patches.
  const kernel = weights.get('visual.patch_embed.proj.weight', [
    C,
    inChannels,
    temporalPatchSize,
    patchSize,
    patchSize,
  ]);
  let x = linear(graph, pixels, { ...kernel, shape: [C, pixelsPerPatch(config)] });
  for (let index = 0; index < config.depth; index++)
    x = visionBlock(graph, config, weights, index, x, angles, attend);
  return merger(graph, config, weights, x);
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
    places: graph.input('places', 'int64', ['N']),
    mask: graph.input('mask', 'float32', ['W', 1, 1, slotsPerWindow(config)]),
  };
}

/** x + attention(norm(x)), then x + mlp(norm(x)) */
function visionBlock(
  graph: GraphBuilder,
  config: VisionConfig,
  weights: WeightSource,
  index: number,
  x: Value,
  { cos, sin }: { cos: Value; sin: Value },
  attend: PatchAttend,
): Value {
  const { hiddenSize: C, heads } = config;
  const prefix = `visual.blocks.${index}`;
  const norm = (value: Value, name: string): Value =>
    rmsNorm(graph, value, weights.get(`${prefix}.${name}.weight`, [C]), config.normEpsilon);
  const normed = norm(x, 'norm1');
  const matrix = (name: string, rows: number): Matrix => ({
    name: `${prefix}.attn.${name}`,
    rows,
    columns: C,
    bias: true,
  });
  const joined = product(graph, weights, normed, matrix('qkv', 3 * C));
  const [q, k, v] = split(graph, joined, [C, C, C], 1);
  const rotated = [q!, k!].map((value) =>
    graph.reshape(rotate(graph, value, cos, sin, heads, C / heads), [-1, C]),
  );
  const mixed = attend(index, rotated[0]!, rotated[1]!, v!);
  const output = product(graph, weights, mixed, matrix('proj', C));
  const middle = graph.op('Add', [x, output]);
  const mlp = swiGlu(graph, weights, norm(middle, 'norm2'), `${prefix}.mlp`, {
    hidden: C,
    feedForward: config.feedForwardSize,
    bias: true,
  });
  return graph.op('Add', [middle, mlp]);
}

/**
 * Every patch attends to every patch, one head after another, so that only one head's N² scores are
 * held at a time. (The runtime's fused MultiHeadAttention is wrong on WebGPU by up to 0.08: docs/log.md.)
 */
function fullAttention(graph: GraphBuilder, config: VisionConfig, q: Value, k: Value, v: Value): Value {
  const { hiddenSize: C, heads: H } = config;
  const scaled = graph.op('Mul', [q, graph.scalar(1 / Math.sqrt(C / H))]);
  const [queries, keys, values] = [scaled, k, v].map((value) =>
    split(graph, value, new Array<number>(H).fill(C / H), 1),
  );
  const mixed = queries!.map((query, head) => {
    const scores = graph.op('MatMul', [query, graph.transpose(keys![head]!, [1, 0])]); // (N, N)
    return graph.op('MatMul', [graph.op('Softmax', [scores], { axis: -1 }), values![head]!]); // (N, d)
  });
  return graph.op('Concat', mixed, { axis: 1 }); // (N, C)
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
  return graph.op('Gather', [inSlots, places]); // (N, C)
}

/** Joins mergeSize² neighbouring patches, which are consecutive rows, into one token. */
function merger(graph: GraphBuilder, config: VisionConfig, weights: WeightSource, x: Value): Value {
  const { hiddenSize: C, mergeSize, outputSize } = config;
  const wide = C * mergeSize * mergeSize;
  const norm = rmsNorm(graph, x, weights.get('visual.merger.ln_q.weight', [C]), config.normEpsilon);
  const joined = graph.reshape(norm, [-1, wide]); // (N / M, M·C)
  const project = (value: Value, name: string, out: number): Value =>
    product(graph, weights, value, {
      name: `visual.merger.mlp.${name}`,
      rows: out,
      columns: wide,
      bias: true,
    });
  return project(graph.op('Gelu', [project(joined, '0', wide)]), '2', outputSize);
}
