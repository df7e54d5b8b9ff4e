/** What has to be known to read the map on the stage, in sentences. */

import { NO_MASS } from '../../heatmap/constants.ts';
import { enclosed } from '../../heatmap/contour.ts';
import type { HeatMap } from '../../heatmap/map.ts';
import type { Scale, Scope } from '../../heatmap/scale.ts';
import { isNearlyUniform, totalOf } from '../../heatmap/statistics.ts';
import type { TracePicture } from '../../trace/schema.ts';
import { number, percent } from './format.ts';

/** Whose values the scale spans: a scope, or one token. */
export type ScaleOwner = Scope | 'token';

const OWNERS: Record<ScaleOwner, string> = {
  run: 'the run',
  block: 'this block',
  latent: 'this latent alone',
  token: 'this token alone',
};

/** "the run" */
export function ownerText(owner: ScaleOwner): string {
  return OWNERS[owner];
}

/** The scale in words: where it ends, by what rule, and what lies beyond. */
export function scaleText({ max, most, diverging }: Scale, owner: ScaleOwner): string {
  const rule = `${diverging ? '±' : ''}${number(max)}, the 99th percentile of ${ownerText(owner)}`;
  return most > max ? `${rule}; the largest value is ${number(most)}` : rule;
}

/** What is special about a map; undefined where nothing is. */
export function remarkOn({ kind, mass, entropy, values }: HeatMap): string | undefined {
  if (kind === 'attention' && totalOf(values) === 0) return 'No attention at all on this picture.';
  if (mass !== undefined && mass < NO_MASS)
    return `Looks elsewhere: only ${percent(mass)} of it is on the picture.`;
  if (entropy === undefined || !isNearlyUniform(entropy)) return undefined;
  const { bits, uniformBits } = entropy;
  return `Nearly uniform: ${bits.toFixed(2)} of at most ${uniformBits.toFixed(2)} bits, so the largest patches say little.`;
}

/** What the contour encloses; undefined where none is drawn. */
export function contourText(map: HeatMap, share: number): string | undefined {
  if (enclosed(map, share).size === 0) return undefined;
  if (map.selected !== undefined) return 'Outlined: the candidates that the rule would keep.';
  const of =
    map.reading === 'relative' ? 'what is above the mean' : map.mass === undefined ? 'the sum' : 'the mass';
  return `Outlined: the fewest patches with ${Math.round(share * 100)} % of ${of}.`;
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
    isReference ? 'This helper was not part of the prompt, so there is no attention over it.' : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(' ');
}
