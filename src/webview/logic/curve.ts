/** Curves of a training run: one for every loss that is named, the gradient's norm and the learning rate. */

import { t } from '../../base/l10n.ts';
import { lossName } from '../../watch/lossNames.ts';
import type { Metric } from '../../watch/metrics.ts';
import { smoothed } from '../../watch/progress.ts';

export interface Curve {
  id: string;
  title: string;
  steps: number[];
  values: number[];
  /** As many; the same as `values` where smoothing means nothing. */
  smooth: number[];
}

export interface Point {
  step: number;
  value: number;
}

/** @param weight of the past in the smoothed curves */
export function curvesOf(metrics: readonly Metric[], weight: number): Curve[] {
  const keys = [...new Set(metrics.flatMap(({ losses }) => Object.keys(losses)))];
  const curve = (
    id: string,
    title: string,
    valueOf: (metric: Metric) => number | undefined,
    smoothing: number,
  ): Curve => {
    const known = metrics.filter((metric) => Number.isFinite(valueOf(metric)));
    const values = known.map((metric) => valueOf(metric)!);
    const steps = known.map(({ step }) => step);
    return { id, title, steps, values, smooth: smoothed(values, smoothing) };
  };
  return [
    ...keys.map((key) => curve(`loss ${key}`, lossName(key), ({ losses }) => losses[key], weight)),
    curve('gradientNorm', t('gradient norm'), ({ gradientNorm }) => gradientNorm, weight),
    curve('learningRate', t('learning rate'), ({ learningRate }) => learningRate, 0),
  ];
}

/**
 * Few enough points for a line of some width, extremes kept: of each run of steps the lowest and the highest.
 * @param most runs
 */
export function thinned(steps: readonly number[], values: readonly number[], most: number): Point[] {
  const size = Math.ceil(steps.length / most);
  const point = (i: number): Point => ({ step: steps[i]!, value: values[i]! });
  if (size <= 1) return steps.map((_, i) => point(i));
  const points: Point[] = [];
  for (let from = 0; from < steps.length; from += size) {
    let [low, high] = [from, from];
    for (let i = from; i < Math.min(steps.length, from + size); i++) {
      if (values[i]! < values[low]!) low = i;
      if (values[i]! > values[high]!) high = i;
    }
    points.push(point(Math.min(low, high)), ...(low === high ? [] : [point(Math.max(low, high))]));
  }
  return points;
}

/** Index of the step that is nearest; -1 without any. */
export function nearest(steps: readonly number[], step: number): number {
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]! < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step - steps[low - 1]! < steps[low]! - step ? low - 1 : Math.min(low, steps.length - 1);
}

export interface Range {
  min: number;
  max: number;
}

/**
 * What the axis spans: from zero, or on a logarithmic axis from the smallest positive value.
 * A lone early peak must not press the rest flat, so the highest hundredth is cut off.
 */
export function rangeOf(values: readonly number[], log: boolean): Range {
  const sorted = values.filter((value) => value > 0).toSorted((a, b) => a - b);
  if (sorted.length === 0) return log ? { min: 0.1, max: 1 } : { min: 0, max: 1 };
  const high = sorted[Math.ceil(sorted.length * 0.99) - 1]!;
  if (!log) return { min: Math.min(0, ...values), max: high };
  const min = sorted[0]!;
  return { min, max: Math.max(high, min * 1.01) };
}

/** Where a value lies, from 0 to 1; values outside are clipped. */
export function placeOf(value: number, { min, max }: Range, log: boolean): number {
  const at = log ? Math.log(Math.max(value, min) / min) / Math.log(max / min) : (value - min) / (max - min);
  return Math.min(1, Math.max(0, at));
}

/** Rows of a table: at most `most`, evenly chosen, the last one always. */
export function tableRows(metrics: readonly Metric[], most: number): Metric[] {
  const stride = Math.ceil(metrics.length / most);
  return metrics.filter((_, i) => (metrics.length - 1 - i) % Math.max(1, stride) === 0);
}
