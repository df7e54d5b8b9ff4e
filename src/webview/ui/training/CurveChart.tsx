/** One curve: the values as they are, faint, and smoothed over them; the cursor's value beside the title. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import { nearest, placeOf, rangeOf, thinned, type Curve, type Point } from '../../logic/curve.ts';
import { number } from '../../logic/format.ts';

const MARGIN = { top: 6, right: 8, bottom: 18, left: 62 };
const HEIGHT = 118;

interface CurveChartProps {
  curve: Curve;
  width: number;
  first: number;
  last: number;
  log: boolean;
  cursor: number | undefined;
  point: (step: number | undefined) => void;
}

export function CurveChart({ curve, width, first, last, log, cursor, point }: CurveChartProps): VNode {
  const { title, steps, values, smooth } = curve;
  const inner = Math.max(10, width - MARGIN.left - MARGIN.right);
  const bottom = HEIGHT - MARGIN.bottom;
  const range = useMemo(() => rangeOf(values, log), [values, log]);
  const x = (step: number): number =>
    MARGIN.left + (last > first ? ((step - first) / (last - first)) * inner : 0);
  const y = (value: number): number => bottom - placeOf(value, range, log) * (bottom - MARGIN.top);
  const line = (points: readonly Point[]): string =>
    points.map(({ step, value }) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  const most = Math.max(50, Math.floor(inner / 2));
  const [raw, even] = useMemo(
    () => [thinned(steps, values, most), thinned(steps, smooth, most)],
    [steps, values, smooth, most],
  );
  const at = nearest(steps, cursor ?? last);
  const isSmoothed = smooth.some((value, i) => value !== values[i]);
  const pointAt = (event: PointerEvent & { currentTarget: Element }): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const step = first + ((event.clientX - box.left - MARGIN.left) / inner) * (last - first);
    point(steps[nearest(steps, step)]);
  };
  const middle = log ? Math.sqrt(range.min * range.max) : (range.min + range.max) / 2;
  return (
    <figure class="curve">
      <figcaption class="curve-title">
        <b>{title}</b>
        <span class="curve-value">
          {at >= 0 && (
            <>
              <span class="dim">{t('step {0}:', steps[at]!)} </span>
              {number(values[at]!)}
              {isSmoothed && <span class="dim"> {t('(smoothed {0})', number(smooth[at]!))}</span>}
            </>
          )}
        </span>
      </figcaption>
      <svg
        class="curve-chart"
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={describe(curve)}
        onPointerMove={pointAt}
        onPointerLeave={() => point(undefined)}
      >
        {[range.max, middle, range.min].map((value) => (
          <g key={value} class="curve-grid">
            <line x1={MARGIN.left} x2={MARGIN.left + inner} y1={y(value)} y2={y(value)} />
            <text class="chart-label" x={MARGIN.left - 6} y={y(value) + 4} text-anchor="end">
              {number(value)}
            </text>
          </g>
        ))}
        <text class="chart-label" x={MARGIN.left} y={HEIGHT - 4}>
          {first}
        </text>
        <text class="chart-label" x={MARGIN.left + inner} y={HEIGHT - 4} text-anchor="end">
          {t('step {0}', last)}
        </text>
        {isSmoothed && <polyline class="curve-raw" points={line(raw)} />}
        <polyline class="curve-line" points={line(isSmoothed ? even : raw)} />
        {steps.length === 1 && <circle class="curve-dot" cx={x(steps[0]!)} cy={y(values[0]!)} r={2.5} />}
        {cursor !== undefined && at >= 0 && (
          <g>
            <line class="curve-cursor" x1={x(steps[at]!)} x2={x(steps[at]!)} y1={MARGIN.top} y2={bottom} />
            <circle class="curve-dot" cx={x(steps[at]!)} cy={y(smooth[at]!)} r={3} />
          </g>
        )}
      </svg>
    </figure>
  );
}

/** What a screen reader needs of a picture that it cannot show. */
function describe({ title, steps, smooth, values }: Curve): string {
  if (steps.length === 0) return t('{0}: no value yet', title);
  const least = values.reduce((best, value, i) => (value < values[best]! ? i : best), 0);
  return [
    t('{0} from step {1} to {2}', title, steps[0]!, steps.at(-1)!),
    t('first {0}', number(values[0]!)),
    t('now {0}', number(smooth.at(-1)!)),
    t('lowest {0} at step {1}', number(values[least]!), steps[least]!),
  ].join(', ');
}
