/** What vision towers of several bases are made of. */

import type { Value } from '../../onnx/graphBuilder.ts';
import { linear } from '../layers.ts';
import type { Tower } from './base.ts';

/** A convolution whose stride is its kernel is a product with the flattened patches. */
export function patchEmbedding(
  { graph, config, weights }: Tower,
  pixels: Value,
  { bias = false }: { bias?: boolean } = {},
): Value {
  const { hiddenSize: C, inChannels, temporalPatchSize, patchSize } = config;
  const shape = [C, inChannels, temporalPatchSize, patchSize, patchSize];
  const kernel = weights.get('visual.patch_embed.proj.weight', shape);
  const matrix = { ...kernel, shape: [C, inChannels * temporalPatchSize * patchSize * patchSize] };
  return linear(graph, pixels, matrix, bias ? weights.get('visual.patch_embed.proj.bias', [C]) : undefined);
}
