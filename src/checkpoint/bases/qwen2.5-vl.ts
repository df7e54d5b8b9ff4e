/** The files of Qwen2.5-VL. */

import { z } from 'zod';
import { parseWith } from '../json.ts';
import { count, ensure, size, type CheckpointBase } from './base.ts';

const ARCHITECTURE = 'Qwen2_5_VLForConditionalGeneration';
const MODEL_TYPE = 'qwen2_5_vl';

/** The vision tower's own constants; they stand in the reference's code, not in its config. */
const NORM_EPSILON = 1e-6;
const ROPE_THETA = 10_000;

const Vision = z.object({
  depth: count,
  hidden_size: size,
  num_heads: count,
  intermediate_size: size,
  out_hidden_size: size,
  in_channels: z.literal(3).optional(),
  in_chans: z.literal(3).optional(),
  patch_size: count.default(14),
  temporal_patch_size: count.default(2),
  spatial_merge_size: count.default(2),
  window_size: size.default(112),
  fullatt_block_indexes: z.array(z.int().nonnegative()).default([7, 15, 23, 31]),
  hidden_act: z.literal('silu').default('silu'),
});

export const QWEN_2_5_VL: CheckpointBase = {
  architecture: ARCHITECTURE,
  modelTypes: [MODEL_TYPE, 'qwen2_5_vl_text'],
  text: { ropeTheta: 1_000_000 },
  vision: (json, where) => {
    const vision = parseWith(Vision, json, where);
    const { hidden_size: hiddenSize, num_heads: heads, window_size: windowSize } = vision;
    const token = vision.patch_size * vision.spatial_merge_size;
    ensure(
      hiddenSize % (4 * heads) === 0,
      'num_heads × 4 to divide hidden_size',
      `${heads} heads, ${hiddenSize}`,
      where,
    );
    ensure(windowSize >= token, `window_size of at least one merged token, ${token}`, `${windowSize}`, where);
    return {
      base: 'qwen2.5-vl',
      depth: vision.depth,
      hiddenSize,
      heads,
      feedForwardSize: vision.intermediate_size,
      outputSize: vision.out_hidden_size,
      inChannels: 3,
      patchSize: vision.patch_size,
      temporalPatchSize: vision.temporal_patch_size,
      mergeSize: vision.spatial_merge_size,
      windowSize,
      // Defaults name blocks of the full-size tower; a shallower one just has fewer of them.
      fullAttentionBlocks: vision.fullatt_block_indexes.filter((block) => block < vision.depth),
      normEpsilon: NORM_EPSILON,
      ropeTheta: ROPE_THETA,
    };
  },
  processor: {
    // 4 and 16384 merged tokens of 28 × 28.
    minPixels: 56 * 56,
    maxPixels: 28 * 28 * 16384,
    patchSize: 14,
    // Of CLIP (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD).
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
  exported: {
    // As transformers 4.50 writes it, which later releases read as well: the language model's settings at the top,
    // rope_theta and rope_scaling in place of rope_parameters.
    config: ({ rope_parameters: _newer, ...flat }, { rope_parameters: _constant, ...tower }, { text }) => ({
      ...flat,
      architectures: [ARCHITECTURE],
      model_type: MODEL_TYPE,
      rope_theta: text.ropeTheta,
      rope_scaling: flat['rope_scaling'] ?? { type: 'mrope', mrope_section: text.mropeSection },
      vision_config: { ...tower, model_type: MODEL_TYPE },
    }),
    imageProcessor: 'Qwen2VLImageProcessor',
    processor: 'Qwen2_5_VLProcessor',
  },
};
