/** A view as it was stored; nothing in it is believed. */

import { LAWS } from '../../heatmap/law.ts';
import { MAP_KINDS, READINGS } from '../../heatmap/map.ts';
import { SCOPES } from '../../heatmap/scale.ts';
import type { Choice } from '../../trace/choice.ts';
import { MEASURES } from '../../evidence/relevance.ts';
import { PLANES } from '../../evidence/scatter.ts';
import { SHARES } from '../../evidence/sources.ts';
import { INITIAL_VIEW, SHADINGS, TABS, type View } from './view.ts';

/** Reads a stored state; anything that is not of the expected kind falls back to the default. */
export function restoreView(stored: unknown): View {
  if (typeof stored !== 'object' || stored === null) return INITIAL_VIEW;
  const record = stored as Record<string, unknown>;
  const kept = Object.entries(INITIAL_VIEW).map(([key, standard]) => {
    const value = record[key];
    const known = key === 'heads' ? isChoice(value) : VALUES[key]?.includes(value as string);
    return [key, (known ?? typeof value === typeof standard) ? value : standard];
  });
  const { picture, run, latent, layer, evidenceOpen, evidenceHeight } = record;
  return {
    ...(Object.fromEntries(kept) as unknown as View),
    ...(typeof picture === 'string' && { picture }),
    ...(typeof run === 'string' && { run }),
    ...(Number.isInteger(latent) && { latent: latent as number }),
    ...(isChoice(layer) && { layer }),
    ...(typeof evidenceOpen === 'boolean' && { evidenceOpen }),
    ...(typeof evidenceHeight === 'number' && { evidenceHeight }),
  };
}

/** What settings that are one of several words may be. */
const VALUES: Record<string, readonly string[]> = {
  kind: MAP_KINDS,
  law: LAWS,
  reading: READINGS,
  scope: SCOPES,
  shading: SHADINGS,
  tab: TABS,
  shares: SHARES,
  plane: PLANES,
  measure: MEASURES,
};

function isChoice(value: unknown): value is Choice {
  return value === 'mean' || value === 'max' || (Number.isInteger(value) && (value as number) >= 0);
}
