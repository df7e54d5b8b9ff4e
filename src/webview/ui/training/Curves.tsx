/** All curves over the same steps, with one cursor, what it points at in words, and the same as a table. */

import type { VNode } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import { lossName } from '../../../watch/lossNames.ts';
import { curvesOf, nearest, tableRows } from '../../logic/curve.ts';
import { number } from '../../logic/format.ts';
import { Checkbox } from '../../toolkit.tsx';
import { useSize } from '../useSize.ts';
import { CurveChart } from './CurveChart.tsx';
import type { TrainingScene } from './scene.ts';

const MAX_SMOOTHING = 0.99;
const MAX_ROWS = 100;
/** Steps that Page Up and Page Down pass, of a hundred. */
const LEAP = 10;

export function Curves({ scene }: { scene: TrainingScene }): VNode {
  const { metrics } = scene.state;
  const { smoothing, log } = scene.view;
  const [cursor, setCursor] = useState<number>();
  const [isTable, setIsTable] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  const curves = useMemo(() => curvesOf(metrics, smoothing), [metrics, smoothing]);
  const steps = useMemo(() => metrics.map(({ step }) => step), [metrics]);
  return (
    <section class="curves" aria-label={t('Curves')}>
      <div class="training-tools">
        <h2>{t('Curves')}</h2>
        <label class="field">
          <span class="field-label">{t('Smoothing')}</span>
          <input
            type="range"
            min={0}
            max={MAX_SMOOTHING}
            step={0.01}
            value={smoothing}
            onInput={(event) => scene.set({ smoothing: Number(event.currentTarget.value) })}
          />
          <span class="choice-value">{smoothing.toFixed(2)}</span>
        </label>
        <Checkbox checked={log} onChange={(checked) => scene.set({ log: checked })}>
          {t('logarithmic')}
        </Checkbox>
        <Checkbox checked={isTable} onChange={setIsTable}>
          {t('as a table')}
        </Checkbox>
      </div>
      <div ref={box}>
        {metrics.length === 0 ? (
          <p class="dim">{t('No step has been done yet.')}</p>
        ) : isTable ? (
          <Table scene={scene} />
        ) : (
          <div
            class="curve-list"
            role="group"
            tabIndex={0}
            aria-label={t('Curves; arrow keys move along the steps')}
            onKeyDown={(event) => {
              const next = moved(event.key, cursor, steps);
              if (next === undefined) return;
              event.preventDefault();
              setCursor(next === 'none' ? undefined : next);
            }}
            onBlur={() => setCursor(undefined)}
          >
            {curves.map((curve) => (
              <CurveChart
                key={curve.id}
                curve={curve}
                width={width}
                first={steps[0]!}
                last={Math.max(steps[0]! + 1, steps.at(-1)!)}
                log={log && curve.id !== 'learningRate'}
                cursor={cursor}
                point={setCursor}
              />
            ))}
            <p class="hidden" aria-live="polite">
              {cursor !== undefined &&
                [
                  t('Step {0}', cursor),
                  ...curves.map(({ title, steps: at, values }) => {
                    const value = values[nearest(at, cursor)];
                    return `${title} ${value === undefined ? t('unknown') : number(value)}`;
                  }),
                ].join(', ')}
            </p>
          </div>
        )}
      </div>
    </section>
  );
}

/** The step that a key moves to. */
function moved(
  key: string,
  cursor: number | undefined,
  steps: readonly number[],
): number | 'none' | undefined {
  const at = cursor === undefined ? steps.length - 1 : nearest(steps, cursor);
  const leap = Math.max(1, Math.round((steps.length * LEAP) / 100));
  const targets: Record<string, number> = {
    ArrowLeft: cursor === undefined ? at : at - 1,
    ArrowRight: at + 1,
    PageUp: at - leap,
    PageDown: at + leap,
    Home: 0,
    End: steps.length - 1,
  };
  if (key === 'Escape') return cursor === undefined ? undefined : 'none';
  const target = targets[key];
  return target === undefined ? undefined : steps[Math.min(steps.length - 1, Math.max(0, target))];
}

function Table({ scene: { state } }: { scene: TrainingScene }): VNode {
  const { metrics } = state;
  const rows = tableRows(metrics, MAX_ROWS);
  const keys = [...new Set(metrics.flatMap(({ losses }) => Object.keys(losses)))];
  const heads = [...keys.map(lossName), t('gradient norm'), t('learning rate'), t('samples/s')];
  return (
    <div class="curve-table" tabIndex={0} role="region" aria-label={t('Figures by step')}>
      <table class="table">
        <caption>
          {rows.length < metrics.length
            ? t('{0} of {1} steps, not smoothed', rows.length, metrics.length)
            : t('All steps, not smoothed')}
        </caption>
        <thead>
          <tr>
            <th scope="col">{t('step')}</th>
            {heads.map((head) => (
              <th key={head} scope="col" class="numeric">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.toReversed().map(({ step, losses, gradientNorm, learningRate, samplesPerSecond }) => (
            <tr key={step}>
              <th scope="row">{step}</th>
              {[...keys.map((key) => losses[key] ?? NaN), gradientNorm, learningRate, samplesPerSecond].map(
                (value, i) => (
                  <td key={heads[i]} class="numeric">
                    {number(value)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
