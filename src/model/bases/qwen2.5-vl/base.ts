/** Qwen2.5-VL (arXiv 2502.13923). */

import type { BaseModel } from '../base.ts';
import type { Axis } from '../../grid.ts';
import { TOWER } from './tower.ts';

export const QWEN_2_5_VL: BaseModel = {
  label: 'Qwen2.5-VL',
  decoder: {
    bias: true,
    headNorms: false,
    // Three sections, one after the other.
    axes: (section) => section.flatMap((length, axis) => new Array<Axis>(length).fill(axis as Axis)),
  },
  tower: TOWER,
  isTrained: true,
};
