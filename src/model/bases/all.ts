/** Every base model. */

import type { BaseModel } from './base.ts';
import type { BaseName } from './name.ts';
import { QWEN_2_5_VL } from './qwen2.5-vl/base.ts';
import { QWEN_3_VL } from './qwen3-vl/base.ts';

export const BASES: Record<BaseName, BaseModel> = { 'qwen2.5-vl': QWEN_2_5_VL, 'qwen3-vl': QWEN_3_VL };

/** What a config describes a part of. */
export function baseOf({ base }: { base: BaseName }): BaseModel {
  return BASES[base];
}
