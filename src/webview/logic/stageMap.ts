/** Chooses and describes the map on the stage. */

import type { HeatMap } from '../../heatmap/map.ts';
import { scaleOf, type Scale } from '../../heatmap/scale.ts';
import { attentionMapOfRow, type MapSelector } from '../../trace/maps.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace, TracePicture } from '../../trace/schema.ts';
import { tokenLabel } from './format.ts';
import type { Shown } from './resolve.ts';
import type { ScaleOwner } from './caption.ts';
import type { View } from './view.ts';

/** The map on the stage: of the selected latent, or of a token while that is looked at. */
export interface StageMap {
  map: HeatMap | undefined;
  scale: Scale;
  /** Whose values the scale spans. */
  owner: ScaleOwner;
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
  maps: RunMaps,
  shown: Shown,
  token: number | undefined,
  { reading, scope }: Pick<View, 'reading' | 'scope'>,
): StageMap {
  const { latent, picture, selector } = shown;
  if (token !== undefined && picture !== undefined) {
    const words = tokenMap(trace, maps, picture, token, selector);
    if (words !== undefined) return words;
  }
  const map = latent && maps.map(latent, selector, reading);
  const row = latent && maps.row(latent.token, selector.layer, selector.heads);
  return {
    map,
    row: selector.kind === 'attention' ? row : undefined,
    selector,
    scale: maps.scale(selector, reading, scope, latent),
    owner: scope,
    title:
      latent === undefined
        ? trace.status === 'running'
          ? 'no latent yet'
          : 'no latent'
        : `Block ${latent.block + 1}, latent ${latent.index + 1}`,
    ...(map === undefined && { absent: absence(shown, trace) }),
  };
}

/**
 * The attention of a token's own query over a picture in the prompt. Tokens differ by an order of magnitude,
 * so each has a scale of its own.
 */
function tokenMap(
  trace: Trace,
  maps: RunMaps,
  picture: TracePicture,
  token: number,
  { layer }: MapSelector,
): StageMap | undefined {
  const row = maps.row(token, layer, 'mean');
  if (row === undefined) return undefined;
  const selector: MapSelector = { kind: 'attention', picture: picture.id, layer, heads: 'mean' };
  const label = tokenLabel(trace.tokens[token]!);
  const map = attentionMapOfRow(trace, row, picture, selector, `the token ${label}`);
  if (map === undefined) return undefined;
  return { map, row, selector, token, title: `Token ${label}`, scale: scaleOf([map]), owner: 'token' };
}

function absence({ latent, picture, selector }: Shown, trace: Trace): string {
  if (picture === undefined) return 'The pictures are not encoded yet.';
  if (latent === undefined)
    return trace.status === 'running' ? 'No latent has been computed yet.' : 'This run has no latents.';
  return `This trace holds no ${selector.kind} of this latent with ${picture.name}.`;
}
