/** Which slices a view needs: the one place that says so. */

import { cosinesFamily } from '../../evidence/cosines.ts';
import { spanFamily } from '../../evidence/span.ts';
import { isShare } from '../../trace/maps.ts';
import type { Family, Query } from '../../trace/queries.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace } from '../../trace/schema.ts';
import type { Slices } from '../../trace/slices.ts';
import { patchesOf } from './grid.ts';
import type { Target } from './gaze.ts';

export interface Needs {
  /** Without these there is no picture. */
  picture: Query[];
  /** What stands around it: shaded words, figures, the open chart. */
  around: Query[];
}

/** What has to be at hand to draw a target whole. */
export function needsOf(trace: Trace, maps: RunMaps, target: Target): Needs {
  const { selector } = target.shown;
  const picture = trace.latents.length > 0 && selector.picture !== '' ? [maps.needs(selector)] : [];
  if (hasRow(trace, target.token)) picture.push(maps.rowNeeds(target.token, selector.layer, 'mean'));
  return { picture, around: [...brushNeeds(maps, target), ...figureNeeds(trace, maps, target)] };
}

/** Whether the maps of a target can be drawn without any of those small maps going blank that were there before. */
export function hasPicture(slices: Slices, { picture }: Needs, covered: number): boolean {
  return picture.every(({ family, from, to }) =>
    slices.has({ family, from, to: family.of === 'row' ? to : Math.min(to, covered) }),
  );
}

/** How many latents of a family are at hand, from the first on. */
export function coveredOf(slices: Slices, { family, from, to }: Query): number {
  let at = from;
  while (at < to && slices.at(family, at) !== undefined) at++;
  return at;
}

/** What the selected latent, the region or the token lights up. */
function brushNeeds(maps: RunMaps, { shown, view, token, paid }: Target): Query[] {
  const { latent, latentIndex, picture, selector } = shown;
  const { layer, heads } = selector;
  if (token !== undefined) return [];
  if (view.region !== undefined && picture !== undefined) {
    if (selector.kind !== 'attention') return [];
    const to = { picture: picture.id, patches: patchesOf(view.region, picture.grid) };
    return [only({ of: 'paid', layer, to, count: paid })];
  }
  if (latent === undefined) return [];
  return view.shading === 'attending'
    ? [only({ of: 'paid', layer, to: { latent: latentIndex }, count: paid })]
    : [maps.rowNeeds(latent.token, layer, heads)];
}

/** The readout's shares of a single head, and what the open tab draws. */
function figureNeeds(trace: Trace, maps: RunMaps, { shown, view, pointed }: Target): Query[] {
  const { selector, latent } = shown;
  const looked = trace.latents[pointed ?? -1] ?? latent;
  const queries: Query[] = [];
  if (looked !== undefined && isShare(selector) && selector.heads !== 'mean') {
    queries.push(maps.rowNeeds(looked.token, selector.layer, selector.heads));
  }
  if (view.tab === 'similarity' && trace.latents.length > 1) queries.push(only(cosinesFamily(trace)));
  const span = spanFamily(trace, selector.layer, selector.heads);
  if (view.tab === 'span' && span !== undefined) {
    queries.push({ family: span, from: 0, to: trace.latents.length });
  }
  return queries;
}

/** Whether the trace stores a row of a word. */
function hasRow(trace: Trace, token: number | undefined): token is number {
  return token !== undefined && trace.tokens[token]?.attention !== undefined;
}

function only(family: Family): Query {
  return { family, from: 0, to: 1 };
}
