/** Chooses and describes the map on the stage. */

import { t } from '../../base/l10n.ts';
import { kindName, type HeatMap } from '../../heatmap/map.ts';
import { scaleOf, type Scale } from '../../heatmap/scale.ts';
import { visualCount } from '../../trace/columns.ts';
import { lookAt, massBySource, type MassBySource } from '../../trace/looks.ts';
import { attentionMap, familyOf, isShare, type MapSelector } from '../../trace/maps.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace, TraceLatent, TracePicture } from '../../trace/schema.ts';
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
  /** Where the attention of the query that is looked at goes; absent where that is not known, or not yet. */
  mass?: MassBySource;
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
  const mass = latent && massOf(trace, maps, latent, selector);
  return {
    map,
    ...(mass !== undefined && { mass }),
    selector,
    scale: maps.scale(selector, reading, scope, latent),
    owner: scope,
    title:
      latent === undefined
        ? trace.status === 'running'
          ? t('no latent yet')
          : t('no latent')
        : t('Block {0}, latent {1}', latent.block + 1, latent.index + 1),
    ...(map === undefined && { absent: absence(shown, trace, maps) }),
  };
}

/** Of a latent's query; layers and heads joined by maxima have no shares. */
function massOf(
  trace: Trace,
  maps: RunMaps,
  latent: TraceLatent,
  selector: MapSelector,
): MassBySource | undefined {
  const { layer, heads } = selector;
  if (!isShare(selector) || layer === 'max') return undefined;
  if (heads === 'mean') return lookAt(trace.tokens[latent.token] ?? {}, layer)?.mass;
  const row = maps.row(latent.token, layer, heads);
  return row && massBySource(trace, row);
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
  const { attention } = trace.tokens[token]!;
  const row = attention && maps.row(token, layer, 'mean');
  if (row === undefined) return undefined;
  const selector: MapSelector = { kind: 'attention', picture: picture.id, layer, heads: 'mean' };
  const label = tokenLabel(trace.tokens[token]!);
  const visual = row.subarray(0, visualCount(trace));
  const map = attentionMap(trace, visual, picture, selector, t('the token {0}', label));
  if (map === undefined) return undefined;
  const mass = layer === 'max' ? undefined : lookAt(trace.tokens[token]!, layer)?.mass;
  return {
    map,
    ...(mass !== undefined && { mass }),
    selector,
    token,
    title: t('Token {0}', label),
    scale: scaleOf([map]),
    owner: 'token',
  };
}

function absence({ latent, picture, selector, latentIndex }: Shown, trace: Trace, maps: RunMaps): string {
  if (picture === undefined) return t('The pictures are not encoded yet.');
  if (latent === undefined)
    return trace.status === 'running' ? t('No latent has been computed yet.') : t('This run has no latents.');
  const isRead = maps.slices.at(familyOf(selector), latentIndex) !== undefined;
  return isRead
    ? t('This trace holds no {0} of this latent with {1}.', kindName(selector.kind), picture.name)
    : t('The map is being read.');
}
