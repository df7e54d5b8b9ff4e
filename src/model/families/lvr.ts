/**
 * LVR (VincentLeebang/lvr): exactly n states after start, no end token, ids the model's own; neither a stop token nor
 * the limit ends the answer inside. With a head, a state whose position was fed a latent goes through it, for the next
 * latent and for the logits.
 *
 * Its other strategy ends a block near a learned vector: `"stop": {"distance": …}` and `"startInside": "reset"` in a
 * record of one's own, or `distanceStrategy` below.
 */

import type { DistanceRule, ProtocolRules } from '../protocol.ts';
import type { Family } from './family.ts';

export const LVR: Family = {
  record: {
    name: 'LVR',
    tokens: { start: '<|lvr_start|>', pad: '<|lvr|>', end: '<|lvr_end|>' },
    count: { from: 'setting', latents: 8 },
    source: 'hidden',
    headLogits: false,
    firstFeed: 'after-start',
    stop: { endToken: false },
    append: 'own',
    forcedEnd: false,
    bansOutside: false,
    startInside: 'ignored',
    stopInside: 'ignored',
    limitInside: 'ignored',
    state: 'block',
    firstToken: 'free',
    bound: 1024,
    prompt: { images: 'first' },
  },
  known: {
    architecture: 'QwenWithLVR',
    fields: ['lvr_id', 'lvr_start_id', 'lvr_head', 'loss_lvr_fct'],
    tokens: ['<|lvr|>', '<|lvr_start|>', '<|lvr_end|>'],
  },
  idFields: { start: 'lvr_start_id', pad: 'lvr_id', end: 'lvr_end_id' },
  configured: (settings) => (settings('lvr_head') === true ? { source: 'head', headLogits: true } : {}),
  weights: ['vincentleebang/LVR-7B'],
  base: 'qwen2.5-vl',
  checked: true,
  released: { maxTokens: 512 },
};

/** The tensor that LVR's distance strategy compares with. */
export const LVR_END_VECTOR = 'lvr_latent_end_emb';

/** What the distance strategy changes of the record. */
export function distanceStrategy(
  measure: DistanceRule['measure'],
  threshold: number,
): Pick<ProtocolRules, 'stop' | 'startInside'> {
  return {
    stop: { endToken: false, distance: { to: LVR_END_VECTOR, measure, threshold } },
    startInside: 'reset',
  };
}
