/** The files of every base model. */

import type { BaseName } from '../../model/bases/name.ts';
import type { CheckpointBase } from './base.ts';
import { QWEN_2_5_VL } from './qwen2.5-vl.ts';
import { QWEN_3_VL } from './qwen3-vl.ts';

export const CHECKPOINT_BASES: Record<BaseName, CheckpointBase> = {
  'qwen2.5-vl': QWEN_2_5_VL,
  'qwen3-vl': QWEN_3_VL,
};

/** The base that fits, with its name. */
export function findBase(fits: (base: CheckpointBase) => boolean): BaseName | undefined {
  const found = Object.entries(CHECKPOINT_BASES).find(([, base]) => fits(base));
  return found?.[0] as BaseName | undefined;
}
