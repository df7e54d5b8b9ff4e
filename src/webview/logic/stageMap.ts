/** Chooses and describes the map on the stage. */

import { attentionMapOfRow, type HeatMap, type MapSelector, type Scale } from '../../trace/maps.ts';
import type { Trace, TracePicture } from '../../trace/schema.ts';
import { tokenLabel } from './format.ts';
import { scaleOfMap, type MapCache } from './mapCache.ts';
import type { Shown } from './resolve.ts';

/** The map on the stage: of the selected latent, or of a token while that is looked at. */
export interface StageMap {
  map: HeatMap | undefined;
  scale: Scale;
  selector: MapSelector;
  /** Attention row of the query that is looked at, over all keys. */
  row: Float32Array | undefined;
  /** "latent 3 of block 2", "token “up”". */
  title: string;
  /** The token whose map it is; absent for a latent's. */
  token?: number;
  /** Why there is no map. */
  absent?: string;
}

/** The selected latent's map, or that of `token` when one is looked at and has attention. */
export function stageMapOf(
  trace: Trace,
  cache: MapCache,
  shown: Shown,
  token: number | undefined,
  locked: boolean,
): StageMap {
  const { latent, picture, selector } = shown;
  if (token !== undefined && picture !== undefined) {
    const words = tokenMap(trace, cache, picture, token, selector);
    // Tokens differ by an order of magnitude, so each has a scale of its own; the colour bar says so.
    if (words?.map !== undefined) return { ...words, scale: scaleOfMap(words.map, words.selector) };
  }
  const map = latent && cache.map(latent, selector);
  const row = latent && cache.row(latent.token, selector.layer, selector.heads);
  return {
    map,
    row: selector.kind === 'attention' ? row : undefined,
    selector,
    scale: locked || map === undefined ? cache.scale(selector) : scaleOfMap(map, selector),
    title: latent === undefined ? 'no latent yet' : `Block ${latent.block + 1}, latent ${latent.index + 1}`,
    ...(map === undefined && { absent: absence(shown, trace) }),
  };
}

/** The attention of a token's own query over a picture in the prompt. */
function tokenMap(
  trace: Trace,
  cache: MapCache,
  picture: TracePicture,
  token: number,
  { layer }: MapSelector,
): Omit<StageMap, 'scale'> | undefined {
  const row = cache.row(token, layer, 'mean');
  if (row === undefined) return undefined;
  const selector: MapSelector = { kind: 'attention', picture: picture.id, layer, heads: 'mean' };
  const label = tokenLabel(trace.tokens[token]!);
  const who = `the token ${label} (its own query, which predicts the next token; single heads are not stored)`;
  const map = attentionMapOfRow(trace, row, picture, selector, who);
  if (map === undefined) return undefined;
  return { map, row, selector, token, title: `Token ${label}` };
}

function absence({ latent, picture, selector }: Shown, trace: Trace): string {
  if (picture === undefined) return 'The pictures are not encoded yet.';
  if (latent === undefined)
    return trace.status === 'running' ? 'No latent has been computed yet.' : 'This run has no latents.';
  return `This trace holds no ${selector.kind} of this latent with ${picture.name}.`;
}
