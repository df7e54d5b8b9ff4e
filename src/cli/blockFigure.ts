/** A block's maps in a row, as a report or a first look shows them. */

import { drawnText, mapsFigure, originText, rowTitle } from '../figure/maps.ts';
import { svgOf } from '../figure/svg.ts';
import { CONTOUR_SHARE, STRENGTH } from '../heatmap/constants.ts';
import { latentsOf } from '../trace/steps.ts';
import type { OpenTrace } from '../traceFile/openTrace.ts';

/** @returns SVG; undefined where the block has no maps over the first picture */
export async function blockFigure(open: OpenTrace, block: number): Promise<string | undefined> {
  const { trace, maps: all } = open;
  const [picture] = trace.pictures;
  if (picture === undefined) return undefined;
  const selector = all.opening(picture, undefined);
  await all.load(selector);
  const latents = latentsOf(trace, block);
  const maps = latents.flatMap((latent) => {
    const map = all.map(latent, selector);
    return map === undefined ? [] : [{ map, label: `latent ${latent.index + 1}` }];
  });
  const [first] = maps;
  if (first === undefined) return undefined;
  const drawing = {
    law: 'spotlight' as const,
    scale: all.scale(selector, 'raw', 'run'),
    strength: STRENGTH,
  };
  const caption = [
    rowTitle(block, maps.length, picture.name),
    first.map.caption,
    drawnText(drawing, 'the run'),
    originText(trace),
  ];
  const ground = await open.picture(picture);
  return svgOf(mapsFigure({ maps, picture: ground, drawing, contour: CONTOUR_SHARE, caption }));
}
