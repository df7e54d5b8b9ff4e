/** What is looked at as figures to take out. */

import type { Chart, ChartChoices } from '../../figure/chart.ts';
import { drawnText, mapNumbers, mapsFigure, originText, rowTitle } from '../../figure/maps.ts';
import { latentsOf } from '../../trace/steps.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace } from '../../trace/schema.ts';
import { ownerText } from './caption.ts';
import type { Shown } from './resolve.ts';
import type { StageMap } from './stageMap.ts';
import { contourShare, type View } from './view.ts';

export interface Looked {
  trace: Trace;
  maps: RunMaps;
  view: View;
  shown: Shown;
  stage: StageMap;
}

/** The picture on the stage with its map; undefined where there is no map. @param png of the picture */
export function stageFigure({ trace, view, shown, stage }: Looked, png: Uint8Array): Chart | undefined {
  const { map, scale, owner, title } = stage;
  const { picture } = shown;
  if (map === undefined || picture === undefined) return undefined;
  const drawing = { law: view.law, scale, strength: view.strength };
  const maps = [{ map, label: title }];
  const caption = [title, map.caption, drawnText(drawing, ownerText(owner)), originText(trace)];
  return {
    figure: mapsFigure({ maps, picture: { ...picture, png }, drawing, contour: contourShare(view), caption }),
    numbers: mapNumbers([{ map, label: 'value' }]),
  };
}

/** The maps of the selected latent's block in a row, on one scale; undefined where there are none. */
export function rowFigure({ trace, maps, view, shown }: Looked, png: Uint8Array): Chart | undefined {
  const { latent, picture, selector } = shown;
  if (latent === undefined || picture === undefined) return undefined;
  const row = latentsOf(trace, latent.block).flatMap((other) => {
    const map = maps.map(other, selector, view.reading);
    return map === undefined ? [] : [{ map, label: String(other.index + 1) }];
  });
  if (row.length === 0) return undefined;
  // A scale of each latent's own would make a row that cannot be compared.
  const scope = view.scope === 'latent' ? 'block' : view.scope;
  const drawing = {
    law: view.law,
    scale: maps.scale(selector, view.reading, scope, latent),
    strength: view.strength,
  };
  const title = rowTitle(latent.block, row.length, picture.name);
  const caption = [title, row[0]!.map.caption, drawnText(drawing, ownerText(scope)), originText(trace)];
  return {
    figure: mapsFigure({
      maps: row,
      picture: { ...picture, png },
      drawing,
      contour: contourShare(view),
      caption,
    }),
    numbers: mapNumbers(row.map(({ map, label }) => ({ map, label: `latent ${label}` }))),
  };
}

/** What of a chart a reader has chosen. */
export function chartChoices({ view, shown }: Pick<Looked, 'view' | 'shown'>): ChartChoices {
  const { selector, latentIndex, picture } = shown;
  return {
    layer: selector.layer,
    heads: selector.heads,
    shares: view.shares,
    latent: latentIndex,
    picture: picture?.id ?? '',
    plane: view.plane,
    measure: view.measure,
    token: view.headsToken,
  };
}
