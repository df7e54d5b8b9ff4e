/**
 * The vision tower over a batch of pictures of one size, as training reads it: static lengths, every
 * weight an input, all pictures in one product.
 *
 * Letters: P pictures, N patches of one picture, H heads, d head size, C hidden size.
 */

import { add, matMul, mul } from '../../onnx/arithmetic.ts';
import type { GraphBuilder, Value } from '../../onnx/graphBuilder.ts';
import type { VisionConfig } from '../../model/config.ts';
import { MASKED, visionRotation, type PatchGrid } from '../../model/positions.ts';
import { hasWindows, pixelsPerPatch, visionTower, type PatchAttend } from '../../model/vision.ts';
import { windowOfPatches } from '../../model/windows.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { floatTensor, type Tensors } from '../../ort/session.ts';
import { sizeOf } from '../../tensor/array.ts';

/** Pictures that a graph is built for. */
export interface PictureBatch {
  /** P */
  count: number;
  grid: PatchGrid;
}

/** The smallest picture, for graphs that are only asked which weights they read. */
export function oneToken({ mergeSize }: VisionConfig): PictureBatch {
  return { count: 1, grid: { height: mergeSize, width: mergeSize } };
}

/** Merged tokens of all pictures of a batch. */
export function tokensOf({ mergeSize }: VisionConfig, { count, grid }: PictureBatch): number {
  return (count * grid.height * grid.width) / mergeSize ** 2;
}

/**
 * Inputs: pixels (P·N, pixels per patch); patch_cos, patch_sin (1, P·N, d/2); if a block is windowed
 * window_mask (N, N), 0 within a window and very negative between windows.
 * @returns features (tokens, outputSize), picture by picture
 */
export function readPictures(
  graph: GraphBuilder,
  config: VisionConfig,
  weights: WeightSource,
  batch: PictureBatch,
): Value {
  const { hiddenSize: C, heads: H } = config;
  const N = batch.grid.height * batch.grid.width;
  const rows = batch.count * N;
  const d = C / H;
  const pixels = graph.input('pixels', 'float32', [rows, pixelsPerPatch(config)]);
  const [cos, sin] = ['patch_cos', 'patch_sin'].map((name) => graph.input(name, 'float32', [1, rows, d / 2]));
  const windows = hasWindows(config) ? graph.input('window_mask', 'float32', [N, N]) : undefined;
  const heads = (value: Value, perm: number[]): Value =>
    graph.transpose(graph.reshape(value, [-1, N, H, d]), perm);

  const attend: PatchAttend = (block, q, k, v) => {
    const scaled = mul(graph, q, 1 / Math.sqrt(d));
    const scores = matMul(graph, heads(scaled, [0, 2, 1, 3]), heads(k, [0, 2, 3, 1])); // (P, H, N, N)
    const full = windows === undefined || config.fullAttentionBlocks.includes(block);
    const masked = full ? scores : add(graph, scores, windows);
    const probabilities = graph.op('Softmax', [masked], { axis: -1 });
    const mixed = matMul(graph, probabilities, heads(v, [0, 2, 1, 3])); // (P, H, N, d)
    return graph.reshape(graph.transpose(mixed, [0, 2, 1, 3]), [rows, C]);
  };
  return visionTower(graph, config, weights, pixels, { cos: cos!, sin: sin! }, attend);
}

/** Inputs of batches of pictures. Their memory is kept: the next batch of the same size overwrites it. */
export class PictureFeeds {
  private readonly config: VisionConfig;
  private readonly known = new Map<string, { pixels: Float32Array; feeds: Tensors }>();

  constructor(config: VisionConfig) {
    this.config = config;
  }

  /** @param pictures pixels of each picture of the batch, (N, pixels per patch) */
  of(batch: PictureBatch, pictures: readonly Float32Array[]): Tensors {
    const key = JSON.stringify(batch);
    const { pixels, feeds } = this.known.get(key) ?? this.make(batch);
    this.known.set(key, { pixels, feeds });
    pictures.forEach((values, i) => pixels.set(values, i * values.length));
    return feeds;
  }

  private make(batch: PictureBatch): { pixels: Float32Array; feeds: Tensors } {
    const { config } = this;
    const shape = [batch.count * batch.grid.height * batch.grid.width, pixelsPerPatch(config)];
    const pixels = new Float32Array(sizeOf(shape));
    return { pixels, feeds: { pixels: floatTensor(pixels, shape), ...placeFeeds(config, batch) } };
  }
}

/** What does not depend on what the pictures show. */
function placeFeeds(config: VisionConfig, { count, grid }: PictureBatch): Tensors {
  const N = grid.height * grid.width;
  const half = config.hiddenSize / config.heads / 2;
  const { cos, sin } = visionRotation(config, grid);
  const repeated = (values: Float32Array): Float32Array => {
    const result = new Float32Array(count * values.length);
    for (let i = 0; i < count; i++) result.set(values, i * values.length);
    return result;
  };
  return {
    patch_cos: floatTensor(repeated(cos), [1, count * N, half]),
    patch_sin: floatTensor(repeated(sin), [1, count * N, half]),
    ...(hasWindows(config) && { window_mask: floatTensor(windowMask(config, grid), [N, N]) }),
  };
}

function windowMask(config: VisionConfig, grid: PatchGrid): Float32Array {
  const windows = windowOfPatches(config, grid);
  return Float32Array.from(windows.flatMap((a) => windows.map((b) => (a === b ? 0 : MASKED))));
}
