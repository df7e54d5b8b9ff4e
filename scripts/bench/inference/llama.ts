/** The racer llama.cpp, through node-llama-cpp. */

import { pathToFileURL } from 'node:url';
import { serve, type Racer } from './racer.ts';

export interface LlamaOptions {
  /** node-llama-cpp's entry. */
  module: string;
  version: string;
  file: string;
  threads: number;
  context: number;
}

/** What we use of node-llama-cpp. */
interface LlamaModule {
  getLlama(
    this: void,
    options: object,
  ): Promise<{
    loadModel(options: object): Promise<{
      createContext(options: object): Promise<{ getSequence(): Sequence }>;
    }>;
  }>;
}

interface Sequence {
  clearHistory(): Promise<void>;
  evaluate(tokens: readonly number[], options: object): AsyncGenerator<number>;
}

class LlamaRacer implements Racer {
  private readonly sequence: Sequence;
  private tokens: AsyncGenerator<number> | undefined;

  constructor(sequence: Sequence) {
    this.sequence = sequence;
  }

  async prefill(ids: readonly number[]): Promise<void> {
    await this.tokens?.return(undefined);
    await this.sequence.clearHistory();
    this.tokens = this.sequence.evaluate(ids, { temperature: 0, yieldEogToken: true });
    await this.tokens.next();
  }

  async token(): Promise<undefined> {
    await this.tokens!.next();
  }
}

await serve<LlamaOptions>(async ({ module, file, threads, context }) => {
  const { getLlama } = (await import(pathToFileURL(module).href)) as LlamaModule;
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: threads,
    logLevel: 'error',
    progressLogs: false,
  });
  // Read into memory of its own, so that its weights too lie in pages of 2 MB.
  const model = await llama.loadModel({ modelPath: file, gpuLayers: 0, useMmap: false });
  const sequence = (
    await model.createContext({
      contextSize: context,
      batchSize: 512,
      threads: { ideal: threads, min: threads },
    })
  ).getSequence();
  return new LlamaRacer(sequence);
});
