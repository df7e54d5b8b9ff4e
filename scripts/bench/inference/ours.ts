/** The racer that is our engine: a model as the engine opens it, tokens as a run feeds them. */

import { seededNumbers } from '../../../src/base/random.ts';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import type { KvCache } from '../../../src/inference/kvCache.ts';
import { probabilityOf } from '../../../src/inference/logitRules.ts';
import { Model } from '../../../src/inference/model.ts';
import { Sampler } from '../../../src/inference/sampler.ts';
import type { Position } from '../../../src/model/positions.ts';
import { pixelsPerPatch } from '../../../src/model/vision.ts';
import { inFormat } from '../../../src/quantise/inFormat.ts';
import type { NumericArray } from '../../../src/tensor/array.ts';
import type { WeightFormat } from '../../../src/tensor/weightFormat.ts';
import { serve, type Racer } from './racer.ts';

export interface OurOptions {
  folder: string;
  /** Where packed weights are kept. */
  cache: string;
  format: WeightFormat;
  threads: number;
}

class OurRacer implements Racer {
  readonly fixed: number;
  private readonly model: Model;
  private readonly sampler: Sampler;
  private cache: KvCache;
  private last: NumericArray;

  constructor(model: Model, fixed: number) {
    this.model = model;
    this.fixed = fixed;
    const greedy = { temperature: 0, topP: 1, repetitionPenalty: 1, seed: 0 };
    this.sampler = new Sampler(greedy, model.checkpoint.generation);
    this.cache = model.newCache();
    this.last = { shape: [1, 0], data: new Float32Array() };
  }

  async prefill(ids: readonly number[]): Promise<void> {
    this.cache.dispose();
    this.cache = this.model.newCache();
    const { embeddings, positions } = await this.model.embedPrompt(ids, []);
    const { hidden } = await this.model.prefill(this.cache, embeddings, positions);
    const width = hidden.shape[1]!;
    this.last = { shape: [1, width], data: hidden.data.slice(-width) };
  }

  /** As a run of the engine does it: chosen by its sampler, with the probability that a trace shows. */
  async token(capture: boolean): Promise<number> {
    const start = performance.now();
    const { data } = await this.model.logits(this.last);
    const length = this.cache.length;
    const id = this.sampler.choose(data, { ids: [], promptLength: 0, maxLength: length + 1000 }, []);
    probabilityOf(data, id);
    const head = performance.now() - start;
    await this.feed(await this.model.embed([id]), capture);
    return head;
  }

  async latent(): Promise<void> {
    await this.feed(this.last, true);
  }

  async tower(side: number): Promise<void> {
    const { vision } = this.model.checkpoint.config;
    const patches = side * vision.mergeSize;
    const random = seededNumbers(0);
    const pixels = Float32Array.from(
      { length: patches ** 2 * pixelsPerPatch(vision) },
      () => 2 * random() - 1,
    );
    await this.model.encodeImage(pixels, { height: patches, width: patches });
  }

  private async feed(input: NumericArray, capture: boolean): Promise<void> {
    const at: Position = [this.cache.length, this.cache.length, this.cache.length];
    // Without rows there is no attention to bring: the runtime computes no less, but nothing is gathered or copied.
    const { hidden } = await this.model.step(this.cache, input, [at], capture ? {} : { rows: [] });
    this.last = hidden;
  }
}

await serve<OurOptions>(async ({ folder, cache, format, threads }) => {
  const start = performance.now();
  const checkpoint = await inFormat(await openCheckpoint(folder), format, { folder: cache });
  const fixed = performance.now() - start;
  return new OurRacer(await Model.open(checkpoint, 'cpu', undefined, threads), fixed);
});
