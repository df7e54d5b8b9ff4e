/** Whether latents follow the picture: means over states, and one sentence. */

import { PICTURE_CHANGE_NAMES, type PictureChange } from '../analysis/pictureChange.ts';
import type { AnalysisResult } from '../analysis/table.ts';
import { t, translated } from '../base/l10n.ts';
import type { NumericArray } from '../tensor/array.ts';
import { MOVED } from './causality.ts';
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

/** How far latents follow, and whether the words follow them. */
export function dependenceVerdict({ changes }: Result): { sentence: string; rule: string } {
  const rule = t(
    'Latents follow a change if they lie further from their own, relative to length, than half as far as the picture’s features do. They hand it on if, fed alone, they move the words by a mean KL of {0} nats or more.',
    MOVED,
  );
  const tried = changes.filter(
    ({ latents, picture }) => latents !== undefined && picture !== undefined && meanOf(picture.distances) > 0,
  );
  if (tried.length === 0) return { sentence: t('Nothing was tested yet.'), rule };
  const follow = tried.filter(
    ({ latents, picture }) => meanOf(latents!.distances) >= meanOf(picture!.distances) / 2,
  ).length;
  const handOn = tried.filter(({ through }) => through !== undefined && through.kl >= MOVED).length;
  return {
    sentence: t(
      'The latents follow {0} of {1} changes of the picture, and hand on {2} of them to the words.',
      follow,
      tried.length,
      handOn,
    ),
    rule,
  };
}
