/**
 * A vision tower that is trained: what it makes of pictures now, and what flows back into its weights. The way
 * back is a graph of its own, which reads the pictures again: so pictures of any number and sizes go into
 * sequences of any lengths, in either stage.
 */

import type { VisionConfig } from '../../model/config.ts';
import type { WeightSource } from '../../model/weightSource.ts';
import { mul, sum } from '../../onnx/arithmetic.ts';
import { floats, floatTensor, type Runtime, type Tensors } from '../../ort/session.ts';
import type { WeightRef } from '../../tensor/dtype.ts';
import { gradientName, type GradientSum } from '../parameters/gradientSum.ts';
import type { ParameterSet } from '../parameters/parameters.ts';
import type { Patches, Picture } from '../data/sequence.ts';
import { SessionCache } from '../graphs/sessions.ts';
import { oneToken, PictureFeeds, readPictures, tokensOf, type PictureBatch } from '../graphs/tower.ts';
import { trainableGraph, weightsAskedBy } from '../graphs/trainable.ts';

const FEATURES_GRADIENT = gradientName('features');

export class TrainedTower {
  private readonly config: VisionConfig;
  private readonly parameters: ParameterSet;
  private readonly largest: number;
  private readonly pixels: PictureFeeds;
  private readonly readers: SessionCache<PictureBatch>;
  private readonly learners: SessionCache<PictureBatch>;

  /**
   * @param parameters hold the tower's among others
   * @param largest most pictures in one run of a graph
   */
  constructor(
    config: VisionConfig,
    weights: WeightSource,
    parameters: ParameterSet,
    largest: number,
    runtime: Runtime,
  ) {
    this.config = config;
    this.parameters = parameters;
    this.largest = largest;
    this.pixels = new PictureFeeds(config);
    this.readers = new SessionCache((batch) => featuresGraph(config, weights, batch), runtime);
    this.learners = new SessionCache((batch) => backwardGraph(config, weights, batch), runtime);
  }

  /** Features of pictures of any sizes, in their order. */
  async see(pictures: readonly Patches[]): Promise<Picture[]> {
    const seen = new Array<Picture>(pictures.length);
    for (const { batch, indices } of pictureBatches(pictures, this.largest)) {
      const session = await this.readers.get(batch);
      const features = floats((await session.run(this.feeds(batch, indices, pictures)))['features']);
      const each = features.length / batch.count;
      const shape = [each / this.config.outputSize, this.config.outputSize];
      indices.forEach((index, n) => {
        const data = features.subarray(n * each, (n + 1) * each);
        seen[index] = { grid: batch.grid, features: { shape, data } };
      });
    }
    return seen;
  }

  /**
   * Adds the weights' gradient to `gradient`, which holds the tower's among others.
   * @param sentBack the gradient of each picture's features, (tokens, C)
   */
  async learn(
    pictures: readonly Patches[],
    sentBack: readonly Float32Array[],
    gradient: GradientSum,
  ): Promise<void> {
    for (const { batch, indices } of pictureBatches(pictures, this.largest)) {
      const session = await this.learners.get(batch);
      const shape = [tokensOf(this.config, batch), this.config.outputSize];
      const flat = Float32Array.from(indices.flatMap((index) => [...sentBack[index]!]));
      const feeds = {
        ...this.feeds(batch, indices, pictures),
        [FEATURES_GRADIENT]: floatTensor(flat, shape),
      };
      await gradient.run(session, feeds);
    }
  }

  async release(): Promise<void> {
    await Promise.all([this.readers.release(), this.learners.release()]);
  }

  private feeds(batch: PictureBatch, indices: readonly number[], pictures: readonly Patches[]): Tensors {
    const pixels = indices.map((index) => pictures[index]!.pixels);
    return { ...this.parameters.tensors(), ...this.pixels.of(batch, pixels) };
  }
}

/**
 * Pictures as a tower sees them; without one they have been seen already, by the frozen tower.
 * @throws Error for pictures in the other form
 */
export async function seenBy(
  tower: TrainedTower | undefined,
  pictures: readonly (Picture | Patches)[],
): Promise<Picture[]> {
  if (tower !== undefined) return tower.see(asPatches(pictures));
  return pictures.map((picture) => {
    if ('features' in picture) return picture;
    throw new Error('patches were given, but no tower is trained');
  });
}

export function asPatches(pictures: readonly (Picture | Patches)[]): Patches[] {
  return pictures.map((picture) => {
    if ('pixels' in picture) return picture;
    throw new Error('features were given, but the tower is trained');
  });
}

/** The tensors that the tower consists of, in the order in which it asks for them. */
export function towerWeights(config: VisionConfig, source: WeightSource): ReadonlyMap<string, WeightRef> {
  return weightsAskedBy(source, (graph, weights) => readPictures(graph, config, weights, oneToken(config)))
    .learnt;
}

/** Inputs: see readPictures. Output: features (tokens, outputSize). */
function featuresGraph(config: VisionConfig, source: WeightSource, batch: PictureBatch): Uint8Array {
  return trainableGraph('tower', source, (graph, weights) => {
    const features = readPictures(graph, config, weights, batch);
    graph.output('features', features, [tokensOf(config, batch), config.outputSize]);
  }).build();
}

/**
 * Inputs: see readPictures; gradient.features (tokens, outputSize).
 * Outputs: the gradient of Σ features · gradient.features with respect to every weight.
 */
function backwardGraph(config: VisionConfig, source: WeightSource, batch: PictureBatch): Uint8Array {
  return trainableGraph('tower', source, (graph, weights) => {
    const features = readPictures(graph, config, weights, batch);
    const sentBack = graph.input(FEATURES_GRADIENT, 'float32', [tokensOf(config, batch), config.outputSize]);
    return { loss: sum(graph, mul(graph, features, sentBack), [0, 1]) };
  }).build();
}

/** Pictures of one size together, in numbers that are powers of two: so few graphs serve any number. */
function pictureBatches(
  pictures: readonly Patches[],
  largest: number,
): { batch: PictureBatch; indices: number[] }[] {
  const bySize = new Map<string, number[]>();
  pictures.forEach(({ grid }, i) => {
    const size = `${grid.height}×${grid.width}`;
    bySize.set(size, [...(bySize.get(size) ?? []), i]);
  });
  return [...bySize.values()].flatMap((same) => {
    const { grid } = pictures[same[0]!]!;
    const batches = [];
    for (let first = 0; first < same.length;) {
      const count = 2 ** Math.floor(Math.log2(Math.min(largest, same.length - first)));
      batches.push({ batch: { count, grid }, indices: same.slice(first, first + count) });
      first += count;
    }
    return batches;
  });
}
