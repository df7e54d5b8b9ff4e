/** Monet (NOVAglow646/Monet): the state that predicted start is fed at the start's own place; ids are the model's own. */

import type { Family } from './family.ts';

export const MONET: Family = {
  record: {
    name: 'Monet',
    tokens: { start: '<abs_vis_token>', pad: '<abs_vis_token_pad>', end: '</abs_vis_token>' },
    count: { from: 'setting', latents: 10 },
    source: 'hidden',
    headLogits: false,
    firstFeed: 'replace-start',
    stop: { endToken: true },
    append: 'own',
    forcedEnd: true,
    bansOutside: false,
    startInside: 'ignored',
    stopInside: 'ends',
    limitInside: 'ends',
    state: 'block',
    firstToken: 'free',
    bound: 4096,
    prompt: { images: 'first', lead: '<image>\n' },
  },
  known: { fields: [], tokens: ['<abs_vis_token>', '<abs_vis_token_pad>', '</abs_vis_token>'] },
  idFields: { start: 'latent_start_id', pad: 'latent_token_id', end: 'latent_end_id' },
  weights: ['NOVAglow646/Monet-7B', 'NOVAglow646/Monet-SFT-7B'],
  base: 'qwen2.5-vl',
  checked: true,
  released: {
    temperature: 0.1,
    topK: 50,
    topP: 0.8,
    repetitionPenalty: 1.01,
    maxTokens: 4096,
    system:
      'You are a helpful multimodal assistant. You are required to answer the question based on the image provided. Put your final answer in \\boxed{}.',
  },
};
