/** Other readings of an attention map: without its sink, or against what all latents look at. */

import { t } from '../base/l10n.ts';
import { placeText } from './grid.ts';
import type { HeatMap } from './map.ts';
import { entropyOf, peakOf, totalOf } from './statistics.ts';

/** A patch that is the largest for most queries, whatever they look for. */
export interface Sink {
  patch: number;
  /** For how many of how many queries it is the largest. */
  queries: number;
  of: number;
}

/** The map without the sink; the same numbers where there is none. */
export function masked(map: HeatMap, sink: Sink | undefined): HeatMap {
  if (sink === undefined) {
    const remark = t('Nothing is masked: no patch is the largest for more than half of the latents here.');
    return { ...map, reading: 'masked', caption: `${map.caption} ${remark}` };
  }
  const values = map.values.slice();
  const total = totalOf(values);
  const share = total > 0 ? values[sink.patch]! / total : 0;
  values[sink.patch] = NaN;
  const place = placeText(sink.patch, map);
  const remark = t("Masked: the sink at {0}, with {1} of this map's mass.", place, percentText(share));
  return {
    ...map,
    reading: 'masked',
    values,
    peak: peakOf(values),
    entropy: entropyOf(values),
    removed: { patch: sink.patch, share },
    caption: `${map.caption} ${remark}`,
  };
}

/**
 * How much more each patch has than on average over all latents of the run. Differences, not ratios: a
 * thousandth of nearly nothing is a large factor and says nothing.
 * @param mean of the same grid
 */
export function relative(map: HeatMap, mean: Float32Array): HeatMap {
  const values = map.values.map((value, i) => value - mean[i]!);
  const { entropy: _, ...rest } = map;
  const remark = t('Relative: what each patch has more or less than its mean over all latents of the run.');
  return {
    ...rest,
    reading: 'relative',
    values,
    peak: peakOf(values),
    unit: t('{0} above the mean', map.unit),
    caption: `${map.caption} ${remark}`,
  };
}

/**
 * What the second map has more or less than the first, patch by patch; undefined where they are not of one kind on one
 * grid, and so have nothing to subtract.
 */
export function difference(a: HeatMap, b: HeatMap): HeatMap | undefined {
  if (a.kind !== b.kind || a.rows !== b.rows || a.columns !== b.columns) return undefined;
  const values = a.values.map((value, i) => b.values[i]! - value);
  return {
    kind: a.kind,
    reading: 'difference',
    rows: a.rows,
    columns: a.columns,
    values,
    peak: peakOf(values.map(Math.abs)),
    unit: t('{0}, B less A', a.unit),
    caption: t('What B has more (red) or less (blue) than A at each patch. The same scale up and down.'),
  };
}

function percentText(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
