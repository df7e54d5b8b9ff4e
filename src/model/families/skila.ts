/** SkiLa: at most twice as many latents as sketch tokens in training; in a block everything but end becomes its pad. */

import { ILVR } from './ilvr.ts';
import type { Family } from './family.ts';

export const SKILA: Family = {
  record: {
    ...ILVR.record,
    name: 'SkiLa',
    tokens: { start: '<|sketch_start|>', pad: '<|skila|>', end: '<|sketch_end|>' },
    count: { from: 'config', field: 'sketch_token_num', times: 2, otherwise: 27 },
    stop: { endToken: true },
    bansOutside: false,
  },
  known: {
    architecture: 'SkiLa',
    fields: ['skila_id', 'sketch_start_id', 'sketch_token_num'],
    tokens: ['<|skila|>', '<|sketch_start|>', '<|sketch_end|>'],
  },
  idFields: { start: 'sketch_start_id', pad: 'skila_id', end: 'sketch_end_id' },
  weights: ['JosephTong/SkiLa-7B'],
  base: 'qwen2.5-vl',
  checked: true,
  // Its sampling is not published.
  released: {},
};

/** SwimBird: SkiLa's loop with other names, on another base model. */
export const SWIMBIRD: Family = {
  record: {
    ...SKILA.record,
    name: 'SwimBird',
    tokens: { start: '<|latent_start|>', pad: '<|latent|>', end: '<|latent_end|>' },
    count: { from: 'config', field: 'max_latent_token', times: 2, otherwise: 32 },
  },
  known: { fields: ['max_latent_token'], tokens: ['<|latent|>'] },
  idFields: { start: 'latent_start_id', pad: 'latent_id', end: 'latent_end_id' },
  weights: ['Accio-Lab/SwimBird-8B'],
  base: 'qwen3-vl',
  checked: false,
  released: {},
};
