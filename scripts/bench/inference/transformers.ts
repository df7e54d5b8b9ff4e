/** The racer transformers.js: its model is called token by token, which leaves out what its `generate` does besides. */

import { dirname, basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serve, type Racer } from './racer.ts';

export interface TransformersOptions {
  /** The package's entry. */
  module: string;
  version: string;
  folder: string;
  threads: number;
}

/** What we use of transformers.js. */
interface TransformersModule {
  env: { localModelPath: string; allowRemoteModels: boolean };
  AutoModelForCausalLM: { from_pretrained(name: string, options: object): Promise<CausalModel> };
  Tensor: new (type: string, data: BigInt64Array, dims: number[]) => object;
}

type CausalModel = (inputs: object) => Promise<Record<string, Result>>;

interface Result {
  data: Float32Array;
  dispose(): void;
}

class TransformersRacer implements Racer {
  private readonly model: CausalModel;
  private readonly tensor: TransformersModule['Tensor'];
  private past: Record<string, Result> | undefined;
  private length = 0;
  private next = 0;

  constructor(model: CausalModel, tensor: TransformersModule['Tensor']) {
    this.model = model;
    this.tensor = tensor;
  }

  async prefill(ids: readonly number[]): Promise<void> {
    for (const tensor of Object.values(this.past ?? {})) tensor.dispose();
    this.past = undefined;
    this.length = 0;
    await this.read(ids);
  }

  async token(): Promise<undefined> {
    await this.read([this.next]);
  }

  private async read(ids: readonly number[]): Promise<void> {
    const ints = (values: readonly number[]): object =>
      new this.tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
    this.length += ids.length;
    const result = await this.model({
      input_ids: ints(ids),
      attention_mask: ints(Array.from({ length: this.length }, () => 1)),
      ...(this.past !== undefined && { past_key_values: this.past }),
    });
    const { data } = result['logits']!;
    this.next = data.indexOf(Math.max(...maxima(data)));
    this.past = Object.fromEntries(
      Object.entries(result)
        .filter(([name]) => name.startsWith('present.'))
        .map(([name, tensor]) => [name.replace('present.', 'past_key_values.'), tensor]),
    );
  }
}

/** Of pieces that fit into a call's arguments. */
function maxima(values: Float32Array): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i += 8192) found.push(Math.max(...values.subarray(i, i + 8192)));
  return found;
}

await serve<TransformersOptions>(async ({ module, folder, threads }) => {
  const { env, AutoModelForCausalLM, Tensor } = (await import(
    pathToFileURL(module).href
  )) as TransformersModule;
  env.localModelPath = dirname(folder);
  env.allowRemoteModels = false;
  const model = await AutoModelForCausalLM.from_pretrained(basename(folder), {
    dtype: 'q4',
    device: 'cpu',
    use_external_data_format: true,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });
  return new TransformersRacer(model, Tensor);
});
