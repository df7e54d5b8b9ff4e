/** Entropy by kind of position, and from the first to the last latent of each block, on one axis. */

import { t, translated } from '../../base/l10n.ts';
import { KIND_NAMES, narrowing, positionLooks } from '../../evidence/narrowing.ts';
import { choiceLabel } from '../../trace/choice.ts';
import { visualCount } from '../../trace/columns.ts';
import { shareLayer } from '../../trace/looks.ts';
import type { Chart, ChartChoices, ChartSource } from '../chart.ts';
import type { Shape } from '../figure.ts';
import { originText } from '../maps.ts';
import { axis, blockName, captioned, COLOURS, filled, framed, MARGIN, ROW, WIDTH, words } from '../plot.ts';

const NAMES = 170;
const VALUES = 190;

export function narrowingChart({ trace }: ChartSource, { layer }: Pick<ChartChoices, 'layer'>): Chart {
  const used = shareLayer(layer);
  const kinds = positionLooks(trace, used);
  const blocks = narrowing(trace, used);
  const most = Math.max(1e-9, Math.log2(Math.max(1, visualCount(trace))));
  const box = {
    x: MARGIN + NAMES,
    y: MARGIN,
    width: WIDTH - NAMES - VALUES,
    height: (kinds.length + blocks.length) * ROW + 12,
  };
  const x = (bits: number): number => box.x + (bits / most) * box.width;
  const bits = (value: number): string => value.toFixed(2).replace('-', '−');
  const row = (i: number, name: string, text: string, marks: (y: number) => Shape[]): Shape[] => {
    const y = box.y + 6 + i * ROW;
    return [
      words(name, box.x - 8, y + 13, { anchor: 'end' }),
      ...marks(y),
      words(text, box.x + box.width + 8, y + 13),
    ];
  };
  return {
    figure: captioned(
      [
        framed(box, COLOURS.grey),
        ...kinds.flatMap(({ kind, count, bits: mean }, i) =>
          row(i, translated(KIND_NAMES[kind].name), t('{0} bits, {1} positions', bits(mean), count), (y) => [
            filled({ x: box.x, y: y + 4, width: x(mean) - box.x, height: 11 }, COLOURS.blue),
          ]),
        ),
        ...blocks.flatMap(({ block, first, last, fall }, i) =>
          row(
            kinds.length + i,
            blockName(block),
            t('{0} to {1} bits, narrows by {2}', bits(first), bits(last), bits(fall)),
            (y) => [
              {
                shape: 'line',
                points: [
                  { x: x(first), y: y + 9 },
                  { x: x(last), y: y + 9 },
                ],
                colour: COLOURS.orange,
                width: 2,
              },
              { shape: 'dot', x: x(first), y: y + 9, radius: 4, colour: COLOURS.grey },
              { shape: 'dot', x: x(last), y: y + 9, radius: 4, colour: COLOURS.orange },
            ],
          ),
        ),
        ...axis(box, 'below', ['0', (most / 2).toFixed(1), most.toFixed(1)], t('bits')),
      ],
      { right: WIDTH, bottom: box.y + box.height + 36 },
      [
        t('Entropy of attention over the pictures’ patches'),
        t(
          'Of: {0}, {1}.',
          choiceLabel('layer', used, trace.model.layers),
          choiceLabel('head', 'mean', trace.model.heads),
        ),
        t('Bars: means by kind of position. Dots: the first latent of a block (grey) and its last one.'),
        originText(trace),
      ],
    ),
    numbers: {
      heads: [
        'of',
        'positions',
        'visual mass',
        'entropy in bits',
        'first latent',
        'last latent',
        'narrows by',
      ],
      rows: [
        ...kinds.map(({ kind, count, mass, bits: mean }) => [kind, count, mass, mean]),
        ...blocks.map(({ block, first, last, fall }) => [
          `block ${block + 1}`,
          undefined,
          undefined,
          undefined,
          first,
          last,
          fall,
        ]),
      ].map((cells) => Array.from({ length: 7 }, (_, i) => cells[i])),
    },
  };
}
