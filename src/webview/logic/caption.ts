/** What has to be known to read the map on the stage, in sentences. */

import { message, t, translated, type Message } from '../../base/l10n.ts';
import { NO_MASS } from '../../heatmap/constants.ts';
import { enclosed } from '../../heatmap/contour.ts';
import type { HeatMap } from '../../heatmap/map.ts';
import type { Scale, Scope } from '../../heatmap/scale.ts';
import { isNearlyUniform, totalOf } from '../../heatmap/statistics.ts';
import type { TracePicture } from '../../trace/schema.ts';
import { number, percent } from './format.ts';

/** Whose values the scale spans: a scope, or one token. */
export type ScaleOwner = Scope | 'token';

const OWNERS: Record<ScaleOwner, Message> = {
  run: message('the run'),
  block: message('this block'),
  latent: message('this latent alone'),
  token: message('this token alone'),
};

/** "the run" */
export function ownerText(owner: ScaleOwner): string {
  return translated(OWNERS[owner]);
}

/** The scale in words: where it ends, by what rule, and what lies beyond. */
export function scaleText({ max, most, diverging }: Scale, owner: ScaleOwner): string {
  const end = `${diverging ? '±' : ''}${number(max)}`;
  const rule = t('{0}, the 99th percentile of {1}', end, ownerText(owner));
  return most > max ? `${rule}; ${t('the largest value is {0}', number(most))}` : rule;
}

/** What is special about a map; undefined where nothing is. */
export function remarkOn({ kind, mass, entropy, values }: HeatMap): string | undefined {
  if (kind === 'attention' && totalOf(values) === 0) return t('No attention at all on this picture.');
  if (mass !== undefined && mass < NO_MASS)
    return t('Looks elsewhere: only {0} of it is on the picture.', percent(mass));
  if (entropy === undefined || !isNearlyUniform(entropy)) return undefined;
  const { bits, uniformBits } = entropy;
  return t(
    'Nearly uniform: {0} of at most {1} bits, so the largest patches say little.',
    bits.toFixed(2),
    uniformBits.toFixed(2),
  );
}

/** What the contour encloses; undefined where none is drawn. */
export function contourText(map: HeatMap, share: number): string | undefined {
  if (enclosed(map, share).size === 0) return undefined;
  if (map.selected !== undefined) return t('Outlined: the candidates that the rule would keep.');
  const percentage = `${Math.round(share * 100)} %`;
  if (map.reading === 'relative')
    return t('Outlined: the fewest patches with {0} of what is above the mean.', percentage);
  return t(
    map.mass === undefined
      ? 'Outlined: the fewest patches with {0} of the sum.'
      : 'Outlined: the fewest patches with {0} of the mass.',
    percentage,
  );
}

/** Everything below the picture. `note` stands after what the map is. */
export function captionOf(
  map: HeatMap,
  share: number,
  picture: TracePicture | undefined,
  note: string | undefined,
): string {
  const isReference = picture !== undefined && picture.range === undefined;
  return [
    map.caption,
    note,
    remarkOn(map),
    contourText(map, share),
    isReference ? t('This helper was not part of the prompt, so there is no attention over it.') : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(' ');
}
