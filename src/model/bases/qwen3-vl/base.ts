/** Qwen3-VL (arXiv 2511.21631), its dense models. */

import type { Axis } from '../../grid.ts';
import type { BaseModel } from '../base.ts';
import { TOWER } from './tower.ts';

export const QWEN_3_VL: BaseModel = {
  label: 'Qwen3-VL',
  decoder: {
    bias: false,
    headNorms: true,
    // Interleaved: height and width take turns with time as long as their share lasts.
    axes: ([temporal, height, width]) =>
      Array.from({ length: temporal + height + width }, (_, i): Axis => {
        if (i % 3 === 1 && i < 3 * height) return 1;
        return i % 3 === 2 && i < 3 * width ? 2 : 0;
      }),
  },
  tower: TOWER,
  isTrained: false,
};
