/**
 * Mirage (UMass-Embodied-AGI/Mirage): ILVR's tokens and fields, but eight latents whatever the config says, counted over
 * the whole run. After a block has ended, a later one may never end.
 */

import { ILVR } from './ilvr.ts';
import type { Family } from './family.ts';

export const MIRAGE: Family = {
  ...ILVR,
  record: {
    ...ILVR.record,
    name: 'Mirage',
    count: { from: 'fixed', latents: 8 },
    stop: { endToken: true },
    bansOutside: false,
    startInside: 'restart',
    state: 'run',
    prompt: { images: 'placeholder', trimmed: true },
  },
  // ILVR's released training knows one stage, and what Mirage publishes has been through its second.
  known: { ...ILVR.known, settings: { stage: 'stage2', compress_strategy: '*' } },
  weights: ['Miiche/vsp_spatial_planning_direct_sft'],
  released: { temperature: 0.7, topP: 0.9, maxTokens: 1024 },
  notes: [
    'Mirage counts latents over the whole run: after its first block, no block is ended by its number of latents, and an end token ends one only if the model has chosen none before. A later block may go on to the limit of tokens.',
  ],
};
