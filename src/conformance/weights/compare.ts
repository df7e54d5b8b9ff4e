/**
 * What packing a checkpoint's weights changes, measured: its float32 model answers a question, the other one gives the
 * same words with latents and picture features of its own, and both are compared layer by layer.
 */

import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { NewToken } from '../../inference/generation.ts';
import { Model } from '../../inference/model.ts';
import type { Provider } from '../../ort/session.ts';
import { inFormat, type FormatOptions } from '../../quantise/inFormat.ts';
import type { WeightFormat } from '../../tensor/weightFormat.ts';
import {
  latentDifferences,
  layerDifferences,
  lookingLayer,
  relativeError,
  wordDifferences,
  type LatentDifference,
  type LayerDifference,
  type WordDifference,
} from './measures.ts';
import { answer, runOf, type Question, type WeightsRun } from './run.ts';

export interface WeightsComparison {
  format: WeightFormat;
  /** Both models' own answers, without their latents, and whether they have the same tokens. */
  answers: { float32: string; other: string; same: boolean };
  /** ‖b − a‖ / ‖a‖ of the pictures' features, and of what is fed to the first layer. */
  features: number;
  fed: number;
  layers: LayerDifference[];
  words: WordDifference[];
  /** The layer of the latents' maps, from 1: where the float32 run looks at the pictures most. */
  mapLayer: number;
  latents: LatentDifference[];
}

export interface CompareOptions extends FormatOptions {
  /** Where both are computed; absent: the processor. */
  provider?: Provider;
  /** Called between steps with what goes on; throwing stops. */
  onStep?: (message: string) => Promise<void>;
}

/**
 * Runs one model after the other, so that only one is in memory.
 * @throws UserError for a picture or checkpoint that does not work
 */
export async function compareWeights(
  checkpoint: Checkpoint,
  format: WeightFormat,
  question: Question,
  options: CompareOptions = {},
): Promise<WeightsComparison> {
  const { onStep = async () => undefined, provider = 'cpu' } = options;
  const step = (name: string) => (message: string) => onStep(`${name}: ${message}`);
  const exact = await withModel(checkpoint, provider, (model) =>
    runOf(model, question, undefined, step('float32')),
  );
  const ids = exact.tokens.map(({ id }) => id);
  const packed = await inFormat(checkpoint, format, options);
  const [other, free] = await withModel(packed, provider, async (model) => {
    const forced = await runOf(model, question, ids, step(format));
    const { tokens } = await answer(model, forced.prompt, question, undefined, step(`${format}, unforced`));
    return [forced, tokens] as const;
  });
  return differences(checkpoint, format, exact, other, free);
}

async function withModel<T>(
  checkpoint: Checkpoint,
  provider: Provider,
  use: (model: Model) => Promise<T>,
): Promise<T> {
  const model = await Model.open(checkpoint, provider);
  try {
    return await use(model);
  } finally {
    await model.release();
  }
}

function differences(
  { tokenizer }: Checkpoint,
  format: WeightFormat,
  exact: WeightsRun,
  other: WeightsRun,
  free: readonly NewToken[],
): WeightsComparison {
  const mapLayer = lookingLayer(exact);
  const textOf = (tokens: readonly NewToken[]): string =>
    tokenizer.decode(tokens.filter(({ kind }) => kind === 'text').map(({ id }) => id));
  const idsOf = (tokens: readonly NewToken[]): string => tokens.map(({ id }) => id).join();
  return {
    format,
    answers: {
      float32: textOf(exact.tokens),
      other: textOf(free),
      same: idsOf(exact.tokens) === idsOf(free),
    },
    features: relativeError([[exact.features, other.features]]),
    fed: relativeError([[exact.fed, other.fed]]),
    layers: layerDifferences(exact, other),
    words: wordDifferences(exact, other),
    mapLayer,
    latents: latentDifferences(exact, other, mapLayer),
  };
}
