/** What the time was spent on: lengths, and time per token. */

import { t } from '../base/l10n.ts';
import { PART_TIMINGS } from '../trace/format.ts';
import type { Trace } from '../trace/schema.ts';
import { duration } from './format.ts';

/** Rows of a table. Rates are left out where the part was not measured. */
export function timingRates(trace: Trace): { name: string; value: string }[] {
  const { prompt, pictures, tokens, latents } = trace;
  const seen = pictures.reduce((sum, { range }) => sum + (range?.count ?? 0), 0);
  const time = (part: string): number | undefined =>
    trace.timings.find(({ name }) => name === part)?.milliseconds;
  const rate = (name: string, part: string, count: number): { name: string; value: string }[] => {
    const spent = time(part);
    return spent === undefined || count === 0 ? [] : [{ name, value: duration(spent / count) }];
  };
  return [
    { name: t('Prompt'), value: t('{0} tokens, {1} of pictures', prompt.ids.length, seen) },
    { name: t('Answer'), value: t('{0} tokens, {1} latents', tokens.length, latents.length) },
    ...rate(t('Per picture'), PART_TIMINGS.pictures, pictures.length),
    ...rate(t('Per prompt token'), PART_TIMINGS.prompt, prompt.ids.length),
    ...rate(t('Per token of the answer, latents alike'), PART_TIMINGS.answer, tokens.length),
  ];
}
