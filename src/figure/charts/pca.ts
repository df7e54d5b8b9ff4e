/** Latents, patches and words in the plane of two principal components. */

import { t } from '../../base/l10n.ts';
import { percent } from '../../evidence/format.ts';
import { axesOf, scatterOf } from '../../evidence/scatter.ts';
import type { NumericArray } from '../../tensor/array.ts';
import { analysisCaption, type Chart, type ChartChoices, type ChartSource } from '../chart.ts';
import type { Cell } from '../csv.ts';
import type { Shape } from '../figure.ts';
import { axis, captioned, COLOURS, filled, framed, legend, MARGIN, placeIn, type Box } from '../plot.ts';

const FRAME: Box = { x: MARGIN + 40, y: MARGIN + 24, width: 560, height: 400 };
/** Marks must not lie on the frame. */
const INSET = 8;
const BOX: Box = {
  x: FRAME.x + INSET,
  y: FRAME.y + INSET,
  width: FRAME.width - 2 * INSET,
  height: FRAME.height - 2 * INSET,
};

/** @returns nothing where the trace keeps none */
export async function pcaChart(
  { trace, found: foundOf }: ChartSource,
  { plane }: Pick<ChartChoices, 'plane'>,
): Promise<Chart | undefined> {
  const found = await foundOf('pca');
  if (found === undefined) return undefined;
  const { result } = found;
  const [across, up] = axesOf(plane);
  const points = scatterOf(result, [across, up]);
  const marks = (of: 'patch' | 'word', side: number, colour: readonly [number, number, number]): Shape[] =>
    points
      .filter((point) => point.of === of)
      .map((point) => {
        const { x, y } = placeIn(BOX, point.x, point.y);
        return filled({ x: x - side / 2, y: y - side / 2, width: side, height: side }, colour);
      });
  const latents = points.filter(({ of }) => of === 'latent').map(({ x, y }) => placeIn(BOX, x, y));
  const title = (component: number): string =>
    t('axis {0}: {1} of the variance', component + 1, percent(result.explained[component] ?? 0));
  return {
    figure: captioned(
      [
        framed(FRAME, COLOURS.grey),
        ...marks('patch', 4, COLOURS.blue),
        ...marks('word', 5, COLOURS.green),
        { shape: 'line', points: latents, colour: COLOURS.orange, width: 1.5 },
        ...latents.map((at): Shape => ({ shape: 'dot', ...at, radius: 3.5, colour: COLOURS.orange })),
        ...axis(FRAME, 'below', [], title(across)),
        ...axis(FRAME, 'left', [], title(up)),
        ...legend(
          [
            { name: t('latents, in order'), colour: COLOURS.orange },
            { name: t('picture features'), colour: COLOURS.blue },
            { name: t('words'), colour: COLOURS.green },
          ],
          FRAME.x,
          FRAME.y - 8,
        ),
      ],
      { right: FRAME.x + FRAME.width, bottom: FRAME.y + FRAME.height + 36 },
      [t('Principal components of latents, picture features and words'), ...analysisCaption(trace, found)],
    ),
    numbers: {
      heads: [
        'of',
        'index',
        'name',
        ...result.explained.map(
          (share, k) => `component ${k + 1} (${(100 * share).toFixed(2)} % of variance)`,
        ),
      ],
      rows: [
        ...rowsOf('latent', result.latents, (i) => {
          const latent = trace.latents[i];
          return latent && `block ${latent.block + 1} latent ${latent.index + 1}`;
        }),
        ...result.pictures.flatMap(({ picture, points: of }) =>
          rowsOf('patch', of, () => trace.pictures.find(({ id }) => id === picture)?.name),
        ),
        ...rowsOf('word', result.words.points, (i) => result.words.texts[i]),
      ],
    },
  };
}

function rowsOf(
  of: string,
  { shape, data }: NumericArray,
  nameOf: (index: number) => string | undefined,
): Cell[][] {
  const [rows = 0, width = 0] = shape;
  return Array.from({ length: rows }, (_, i) => [
    of,
    i + 1,
    nameOf(i),
    ...data.subarray(i * width, (i + 1) * width),
  ]);
}
