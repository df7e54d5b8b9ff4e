/** Whether latents follow the picture: means over states, and one sentence. */

import { PICTURE_CHANGE_NAMES, type PictureChange } from '../analysis/pictureChange.ts';
import type { AnalysisResult } from '../analysis/table.ts';
import { t, translated } from '../base/l10n.ts';
import type { NumericArray } from '../tensor/array.ts';
import { MOVED, natsText, untriedText } from './causality.ts';
import { number } from './format.ts';

type Result = AnalysisResult<'dependence'>;
export type ChangedPicture = Result['changes'][number];

/** What was done to the picture, in words. */
export function changeName(change: PictureChange): string {
  return translated(PICTURE_CHANGE_NAMES[change]);
}

/** Mean relative distance from the own states. */
export function meanOf({ data }: NumericArray): number {
  return data.reduce((sum, value) => sum + value, 0) / data.length;
}

/** "0.91 · 0.42": mean cosine and mean relative distance. */
export function likenessText(part: ChangedPicture['latents']): string {
  if (part === undefined || part.cosines.data.length === 0) return '';
  return `${number(meanOf(part.cosines))} · ${number(meanOf(part.distances))}`;
}

/** Whether latents follow the picture, and whether words move where they alone have seen the changed one. */
export function dependenceVerdict({ changes }: Result): { sentence: string; rule: string } {
  const rule = t(
    'Latents follow a change if they lie further from their own, relative to length, than half as far as the picture’s features do. Words move if, over the run’s own picture and with its own words fed, the latents of the changed one alone give a mean KL of {0} nats or more. No answer is written freely: whether it would change, the causal tests tell.',
    MOVED,
  );
  const tried = changes.filter(
    ({ latents, picture }) => latents !== undefined && picture !== undefined && meanOf(picture.distances) > 0,
  );
  if (tried.length === 0)
    return { sentence: whyNothingChanged({ changes }) ?? t('Nothing was tested yet.'), rule };
  const follow = tried.filter(
    ({ latents, picture }) => meanOf(latents!.distances) >= meanOf(picture!.distances) / 2,
  ).length;
  const followed = t('The latents follow {0} of {1} changes of the picture.', follow, tried.length);
  return { sentence: `${followed} ${throughText(tried)}`, rule };
}

/** What only the latents of a changed picture do to the run's own words. */
function throughText(tried: readonly ChangedPicture[]): string {
  const effects = tried.flatMap(({ through }) => through ?? []);
  const moving = effects.filter(({ kl }) => kl >= MOVED).length;
  const kl = natsText(Math.max(0, ...effects.map((effect) => effect.kl)));
  const answer = natsText(Math.max(0, ...effects.map((effect) => Math.abs(effect.answer))));
  if (moving === 0)
    return t(
      'Fed alone, they move the probabilities of the words with none of {0} (KL up to {1} nats per word; log p of the answer by up to {2} nats).',
      effects.length,
      kl,
      answer,
    );
  return t(
    'Fed alone, they move the probabilities of the words with {0} of {1} (KL up to {2} nats per word; log p of the answer by up to {3} nats).',
    moving,
    effects.length,
    kl,
    answer,
  );
}

/** Undefined where a picture was changed, or none was to be. */
export function whyNothingChanged({ changes }: Result): string | undefined {
  return untriedText(changes.map(({ change, missing }) => ({ name: changeName(change), missing })));
}
