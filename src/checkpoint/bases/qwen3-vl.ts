/** The files of Qwen3-VL. */

import { z } from 'zod';
import { parseWith } from '../json.ts';
import { count, ensure, size, type CheckpointBase } from './base.ts';

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
  patch_size: count.default(16),
  temporal_patch_size: count.default(2),
  spatial_merge_size: count.default(2),
  num_position_embeddings: size.default(2304),
  deepstack_visual_indexes: z.array(z.int().nonnegative()).max(100).default([8, 16, 24]),
  hidden_act: z.literal('gelu_pytorch_tanh').default('gelu_pytorch_tanh'),
});

export const QWEN_3_VL: CheckpointBase = {
  architecture: 'Qwen3VLForConditionalGeneration',
  modelTypes: ['qwen3_vl', 'qwen3_vl_text'],
  text: { ropeTheta: 500_000, mropeSection: [24, 20, 20] },
  vision: (json, where) => {
    const vision = parseWith(Vision, json, where);
    const { depth, hidden_size: hiddenSize, num_heads: heads } = vision;
    const side = Math.sqrt(vision.num_position_embeddings);
    const levels = vision.deepstack_visual_indexes;
    ensure(
      hiddenSize % (4 * heads) === 0,
      'num_heads × 4 to divide hidden_size',
      `${heads} heads, ${hiddenSize}`,
      where,
    );
    ensure(
      Number.isInteger(side) && side > 1,
      'a square number of num_position_embeddings',
      `${side ** 2}`,
      where,
    );
    ensure(
      levels.every((block, i) => block < depth && (i === 0 || block > levels[i - 1]!)),
      `deepstack_visual_indexes that rise and are below depth, ${depth}`,
      levels.join(', '),
      where,
    );
    return {
      base: 'qwen3-vl',
      depth,
      hiddenSize,
      heads,
      feedForwardSize: vision.intermediate_size,
      outputSize: vision.out_hidden_size,
      inChannels: 3,
      patchSize: vision.patch_size,
      temporalPatchSize: vision.temporal_patch_size,
      mergeSize: vision.spatial_merge_size,
      // No windows: a large picture is read in parts of whole tokens.
      windowSize: vision.patch_size * vision.spatial_merge_size,
      fullAttentionBlocks: Array.from({ length: depth }, (_, block) => block),
      deepstackBlocks: levels,
      positionTable: vision.num_position_embeddings,
      normEpsilon: NORM_EPSILON,
      ropeTheta: ROPE_THETA,
    };
  },
  processor: {
    // 64 and 16384 merged tokens of 32 × 32.
    minPixels: 64 * 32 * 32,
    maxPixels: 16_384 * 32 * 32,
    patchSize: 16,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  },
};
