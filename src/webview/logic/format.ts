/** Facts about a run as text; numbers are ../../evidence/format.ts. */

import { t } from '../../base/l10n.ts';
import type { Trace } from '../../trace/schema.ts';
import { describeReplacement } from '../../trace/steps.ts';

export { duration, number, percent, positionName, share, tokenLabel } from '../../evidence/format.ts';
export { totalTime } from '../../trace/timing.ts';

/** "4.54 M", "8.29 B". */
export function parameters(count: number): string {
  const units: [number, string][] = [
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ];
  const [size, unit] = units.find(([limit]) => count >= limit) ?? [1, ''];
  return `${Number((count / size).toPrecision(3))}${unit && ` ${unit}`}`;
}

/** "greedy, seed 0, up to 200 tokens" and whatever else differs from the plain case. */
export function sampling(trace: Trace): string {
  const { settings, model } = trace;
  const { temperature, topP, repetitionPenalty, seed, maxTokens } = settings;
  return [
    temperature === 0 ? t('greedy') : t('temperature {0}', temperature),
    temperature > 0 && topP < 1 ? t('top-p {0}', topP) : undefined,
    repetitionPenalty === 1 ? undefined : t('repetition penalty {0}', repetitionPenalty),
    temperature > 0 ? t('seed {0}', seed) : undefined,
    t('limit {0}', maxTokens),
    // Of older traces; today's tell the protocol itself.
    settings.latents === 'free' && model.protocol === undefined ? t('free latent blocks') : undefined,
    describeReplacement(trace),
    Object.keys(settings.force).length > 0 ? t('forced tokens') : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(', ');
}
