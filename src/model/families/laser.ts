/** Laser: LVR's loop without a head; an answer begins with start, and a block ends also after three equal ids. */

import { LVR } from './lvr.ts';
import type { Family } from './family.ts';

export const LASER: Family = {
  record: {
    ...LVR.record,
    name: 'Laser',
    tokens: { start: '<|laser_start|>', pad: '<|laser|>', end: '<|laser_end|>' },
    count: { from: 'setting', latents: 8 },
    stop: { endToken: true, repeats: 3 },
    forcedEnd: true,
    firstToken: 'start',
  },
  known: { fields: [], tokens: ['<|laser|>', '<|laser_start|>', '<|laser_end|>'] },
  idFields: {},
  weights: ['wybb/laser-7b'],
  base: 'qwen2.5-vl',
  checked: false,
  released: {},
};
