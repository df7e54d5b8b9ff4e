/** Where the time went. */

import { t } from '../../base/l10n.ts';
import { duration } from '../../evidence/format.ts';
import { timingName, TOTAL_TIMING } from '../../trace/format.ts';
import { totalTime } from '../../trace/timing.ts';
import type { Chart, ChartSource } from '../chart.ts';
import { originText } from '../maps.ts';
import { bars, captioned, COLOURS, MARGIN, ROW } from '../plot.ts';

const NAMES = 150;

/** @returns nothing for a trace without timings */
export function timingChart({ trace }: ChartSource): Chart | undefined {
  const total = totalTime(trace.timings);
  if (total === undefined) return undefined;
  const parts = trace.timings.filter(({ name }) => name !== TOTAL_TIMING);
  const box = { x: MARGIN + NAMES, y: MARGIN, width: 300, height: parts.length * ROW };
  return {
    figure: captioned(
      bars(
        box,
        parts.map(({ name, milliseconds }) => ({
          name: timingName(name),
          value: milliseconds,
          text: duration(milliseconds),
          colour: COLOURS.blue,
        })),
      ),
      { right: box.x + box.width + 90, bottom: box.y + box.height },
      [
        t('Where the time went'),
        t(
          '{0} in all, for {1} tokens of the prompt and {2} of the answer.',
          duration(total),
          trace.prompt.ids.length,
          trace.tokens.length,
        ),
        originText(trace),
      ],
    ),
    numbers: {
      heads: ['part', 'milliseconds', 'share'],
      rows: trace.timings.map(({ name, milliseconds }) => [
        name,
        milliseconds,
        total > 0 ? milliseconds / total : undefined,
      ]),
    },
  };
}
