/** Every head of every layer at one token: the share of its attention that lies on the pictures. */

import { t } from '../../base/l10n.ts';
import { positionName } from '../../evidence/format.ts';
import { headsOnPictures } from '../../evidence/heads.ts';
import { sequential } from '../../heatmap/palettes.ts';
import { analysisCaption, type Chart, type ChartChoices, type ChartSource } from '../chart.ts';
import { axis, captioned, colourBar, COLOURS, filled, framed, MARGIN, words } from '../plot.ts';

const CELL = { most: 28, least: 10 };
/** Of the whole grid. */
const SIDE = 560;

/** @returns nothing where the result has no row of the token */
export async function headsChart(
  { trace, found: foundOf }: ChartSource,
  { token }: Pick<ChartChoices, 'token'>,
): Promise<Chart | undefined> {
  const found = await foundOf('attention');
  if (found === undefined) return undefined;
  const row = found.result.rows.find((other) => other.token === token) ?? found.result.rows[0];
  if (row === undefined) return undefined;
  const masses = headsOnPictures(trace, row.attention);
  const [layers, heads] = [masses.length, masses[0]?.length ?? 0];
  const cell = Math.max(CELL.least, Math.min(CELL.most, Math.floor(SIDE / Math.max(layers, heads, 1))));
  const box = { x: MARGIN + 48, y: MARGIN, width: heads * cell, height: layers * cell };
  const cells = masses.flatMap((line, layer) =>
    line.map((mass, head) =>
      filled(
        { x: box.x + head * cell, y: box.y + layer * cell, width: cell, height: cell },
        sequential(Math.min(1, Math.max(0, mass || 0))),
      ),
    ),
  );
  const bar = { x: box.x + box.width + 40, y: MARGIN + 16, width: 160, height: 10 };
  const every = Math.ceil(24 / cell);
  return {
    figure: captioned(
      [
        ...cells,
        framed(box, COLOURS.grey),
        ...masses.flatMap((_, layer) =>
          layer % every === 0
            ? [words(String(layer + 1), box.x - 6, box.y + (layer + 0.5) * cell + 4, { anchor: 'end' })]
            : [],
        ),
        ...Array.from({ length: heads }, (_, head) => head)
          .filter((head) => head % every === 0)
          .map((head) =>
            words(String(head + 1), box.x + (head + 0.5) * cell, box.y + box.height + 15, {
              anchor: 'middle',
            }),
          ),
        ...axis(box, 'below', [], t('head')),
        ...axis(box, 'left', [], t('layer')),
        ...colourBar(bar, sequential, ['0', '1'], t('share on the pictures')),
      ],
      { right: bar.x + bar.width, bottom: box.y + box.height + 36 },
      [
        t('Share of each head’s attention that lies on the pictures'),
        t('At token {0}: {1}.', row.token + 1, positionName(trace, row.token)),
        ...analysisCaption(trace, found),
      ],
    ),
    numbers: {
      heads: ['token', 'layer', 'head', 'share on pictures'],
      rows: found.result.rows.flatMap(({ token: of, attention }) =>
        headsOnPictures(trace, attention).flatMap((line, layer) =>
          line.map((mass, head) => [of + 1, layer + 1, head + 1, mass]),
        ),
      ),
    },
  };
}
