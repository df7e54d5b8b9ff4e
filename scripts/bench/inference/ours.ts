/** The racer that is our engine: a model as the engine opens it, tokens as a run feeds them. */

import { seededNumbers } from '../../../src/base/random.ts';
import { openCheckpoint } from '../../../src/checkpoint/checkpoint.ts';
import { Generation, type StepInput } from '../../../src/inference/generation.ts';
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

const GREEDY = { temperature: 0, topP: 1, repetitionPenalty: 1, seed: 0 };

/** What variants are fed at their latents. */
const FED: StepInput[] = [
  {},
  { intervention: { kind: 'zero' } },
  { intervention: { kind: 'noise', sample: 0 } },
  { intervention: { kind: 'dummy' } },
];

class OurRacer implements Racer {
  readonly fixed: number;
  private readonly model: Model;
  private readonly sampler: Sampler;
  private cache: KvCache;
  private last: NumericArray;
  private ids: readonly number[] = [];
  private runs: Generation[] = [];

  constructor(model: Model, fixed: number) {
    this.model = model;
    this.fixed = fixed;
    this.sampler = new Sampler(GREEDY, model.checkpoint.generation);
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
    this.ids = ids;
    for (const run of this.runs) run.dispose();
    this.runs = [];
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

  async variants(rows: number): Promise<void> {
    if (this.runs.length !== rows) await this.beginVariants(rows);
    const { config, generation } = this.model.checkpoint;
    const force = this.runs[0]!.blocks.length === 0 ? { force: config.tokens.latent!.start } : {};
    await Generation.stepAll(
      this.runs,
      this.runs.map((_, i) => ({ ...FED[i % FED.length], ...force, ban: generation.eosIds })),
    );
  }

  private async beginVariants(rows: number): Promise<void> {
    for (const run of this.runs) run.dispose();
    const prompt = { ids: this.ids, ...(await this.model.embedPrompt(this.ids, [])) };
    const settings = { ...GREEDY, latents: 'forced', maxTokens: 10_000 } as const;
    const first = await Generation.begin(this.model, prompt, settings);
    this.runs = Array.from({ length: rows }, (_, i) => (i === 0 ? first : first.beside()));
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
