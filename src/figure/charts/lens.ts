/** The lens at one latent as a table: layer by layer the likeliest words and the nearest patch. */

import { t } from '../../base/l10n.ts';
import { lensWords, nearestPatches } from '../../analysis/lensReading.ts';
import { number, percent, positionName } from '../../evidence/format.ts';
import { placeText } from '../../heatmap/grid.ts';
import { analysisCaption, type Chart, type ChartChoices, type ChartSource } from '../chart.ts';
import type { Cell } from '../csv.ts';
import type { Shape } from '../figure.ts';
import { captioned, COLOURS, fitting, framed, MARGIN, ROW, WIDTH, words } from '../plot.ts';

/** Words of a row that are drawn. */
const SHOWN = 4;
const COLUMNS = { words: 90, patch: 520 };

/** @returns nothing for a latent that the result does not have */
export async function lensChart(
  { trace, found: foundOf }: ChartSource,
  { latent, picture: wanted }: Pick<ChartChoices, 'latent' | 'picture'>,
): Promise<Chart | undefined> {
  const found = await foundOf('lens');
  if (found === undefined) return undefined;
  const { result } = found;
  const at = trace.latents[latent];
  const [latents = 0, rows = 0] = (result.words?.ids ?? result.patches[0]?.cosines)?.shape ?? [];
  if (at === undefined || latent >= latents) return undefined;
  const picture = trace.pictures.find(({ id }) => id === wanted);
  const cosines = result.patches.find((other) => other.picture === wanted)?.cosines;
  const said = (row: number) => (result.words === undefined ? [] : lensWords(result.words, latent, row));
  const near = (row: number, count: number) =>
    cosines === undefined ? [] : nearestPatches(cosines, latent, row, count);
  const line = (y: number, cells: readonly string[], isHead = false): Shape[] => {
    const widths = [COLUMNS.words - 8, COLUMNS.patch - COLUMNS.words - 8, WIDTH - COLUMNS.patch];
    return [0, COLUMNS.words, COLUMNS.patch].map((x, i) =>
      words(fitting(cells[i] ?? '', widths[i]!), MARGIN + x, y, isHead ? { colour: [110, 110, 110] } : {}),
    );
  };
  const body = Array.from({ length: rows }, (_, row) => {
    const [patch] = near(row, 1);
    return line(MARGIN + (row + 2) * ROW - 6, [
      row === 0 ? t('what was fed') : t('layer {0}', row),
      said(row)
        .slice(0, SHOWN)
        .map(({ text, probability }) => `“${text.replaceAll('\n', '↵')}” ${percent(probability)}`)
        .join('   '),
      patch === undefined || picture === undefined
        ? ''
        : `${placeText(patch.token, picture.grid)}, ${t('cosine {0}', number(patch.cosine))}`,
    ]);
  });
  const bottom = MARGIN + (rows + 1) * ROW;
  return {
    figure: captioned(
      [
        ...line(MARGIN + ROW - 6, [t('After'), t('Likeliest words'), t('Nearest patch')], true),
        framed({ x: MARGIN, y: MARGIN + ROW, width: WIDTH, height: 0 }, COLOURS.grey),
        ...body.flat(),
        framed({ x: MARGIN, y: bottom + 2, width: WIDTH, height: 0 }, COLOURS.grey),
      ],
      { right: MARGIN + WIDTH, bottom },
      [
        t('At {0}: a lens, not a meaning', positionName(trace, at.token)),
        ...(picture === undefined ? [] : [t('Patches of: {0}', picture.name)]),
        ...analysisCaption(trace, found),
      ],
    ),
    numbers: {
      heads: ['layer', 'rank', 'word id', 'word', 'probability', 'patch row', 'patch column', 'cosine'],
      rows: Array.from({ length: rows }, (_, row) => {
        const [all, patches] = [said(row), near(row, said(row).length || SHOWN)];
        return Array.from({ length: Math.max(all.length, patches.length) }, (__, rank): Cell[] => {
          const [word, patch] = [all[rank], patches[rank]];
          const columns = picture?.grid.columns ?? 1;
          return [
            row === 0 ? 'fed' : row,
            rank + 1,
            word?.id,
            word?.text,
            word?.probability,
            patch && Math.floor(patch.token / columns) + 1,
            patch && (patch.token % columns) + 1,
            patch?.cosine,
          ];
        });
      }).flat(),
    },
  };
}
