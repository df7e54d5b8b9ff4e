/**
 * The formats that a model's weights are computed with. Those of few bits are ../quantise's schemes; what the
 * checkpoint stores is another matter (`Dtype`).
 */

import { t } from '../base/l10n.ts';

/** Of most bits first. */
export const WEIGHT_FORMATS = ['float32', 'float16', '8bit', '4bit', '4bit-fast'] as const;
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];

/** What a user asks for; auto: see ../inference/plan.ts. */
export const WEIGHT_CHOICES = ['auto', ...WEIGHT_FORMATS] as const;
export type WeightChoice = (typeof WEIGHT_CHOICES)[number];

const LABELS: Record<WeightFormat, string> = {
  float32: 'float32',
  float16: 'float16',
  '8bit': '8-bit',
  '4bit': '4-bit',
  '4bit-fast': '4-bit (fast)',
};

/** As in "8-bit weights". */
export function formatLabel(format: WeightFormat): string {
  return LABELS[format];
}

/** " computed in 8-bit", to follow the stored format; empty for float32, which is said of no run. */
export function computedIn(format: WeightFormat | undefined): string {
  return format === undefined || format === 'float32' ? '' : ` ${t('computed in {0}', formatLabel(format))}`;
}
