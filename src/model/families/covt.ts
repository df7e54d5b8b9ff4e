/**
 * CoVT (Wakals/CoVT): its visual tokens are ordinary tokens, and nothing is fed back. What its decoders read is the
 * state after the final norm at each of them: that is what is shown as its latents.
 */

import { ILVR } from './ilvr.ts';
import type { Family } from './family.ts';

export const COVT: Family = {
  record: {
    ...ILVR.record,
    name: 'CoVT',
    tokens: {
      visual: [
        '<|sam_pad|>',
        '<|dino_pad|>',
        '<|depth_pad|>',
        '<|sd_pad|>',
        '<|intern_pad|>',
        '<|pidinet_pad|>',
        '<|siglip_pad|>',
        '<|metaclip_pad|>',
      ],
    },
    // The most that training has of a kind.
    count: { from: 'fixed', latents: 8 },
    source: 'token',
    append: 'own',
    forcedEnd: false,
    bansOutside: false,
    stopInside: 'ends',
  },
  known: { fields: [], tokens: ['<|sam_pad|>', '<|dino_pad|>', '<|depth_pad|>', '<|anchor_start|>'] },
  idFields: {},
  weights: ['Wakals/CoVT-7B-seg_depth_dino'],
  base: 'qwen2.5-vl',
  checked: true,
  released: { temperature: 0, maxTokens: 512 },
  notes: [
    'CoVT feeds nothing back: its latents are ordinary tokens, and what is shown of each is the state that its decoders would read. The decoders themselves do not run here.',
  ],
};
