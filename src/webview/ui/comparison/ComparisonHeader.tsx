/** Which runs these are, what they were made with otherwise, and where they part. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';
import { SIDES } from '../../../protocol/comparison.ts';
import { statedAnswer } from '../../../trace/answer.ts';
import { positionName } from '../../../evidence/format.ts';
import type { Trace } from '../../../trace/schema.ts';
import { Button } from '../../toolkit.tsx';
import type { ComparisonScene } from './scene.ts';

/** Of a value, such as a question or a system prompt. */
const MAX_VALUE = 80;

export function ComparisonHeader({ scene }: { scene: ComparisonScene }): VNode {
  const { state, comparison, traces, call } = scene;
  return (
    <header class="header comparison-header">
      <h1 class="hidden">{t('Two runs compared')}</h1>
      <div class="compared-runs">
        {SIDES.map((side) => (
          <div key={side} class="compared-run">
            <b class="side-name">{side.toUpperCase()}</b>
            <span class="compared-name" title={traces[side].question}>
              {state[side].name} · <b>{statedAnswer(traces[side]) ?? t('none')}</b>
            </span>
            <Button
              label={t('Open run {0}', side.toUpperCase())}
              onClick={() => call((host) => host.openRun(side))}
            >
              {t('Open')}
            </Button>
          </div>
        ))}
      </div>
      <p class="first-apart">{firstText(scene)}</p>
      {comparison.differences.length === 0 ? (
        <p class="dim">{t('No setting differs that a trace keeps.')}</p>
      ) : (
        <ul class="facts" aria-label={t('What the runs differ in')}>
          {comparison.differences.map(({ what, a, b }) => (
            <li key={what} title={`${a ?? ''} → ${b ?? ''}`}>
              {what}: <b>{shown(a)}</b> → <b>{shown(b)}</b>
            </li>
          ))}
        </ul>
      )}
    </header>
  );
}

function firstText({ comparison: { first, cut }, traces }: ComparisonScene): string {
  if (cut) return t('The runs are too long and too different to be aligned in their middle.');
  if (first === undefined) return t('Both runs say the same.');
  return t('The runs part at {0} of A and {1} of B.', placeIn(traces.a, first.a), placeIn(traces.b, first.b));
}

/** "token 14 “3”" */
function placeIn(trace: Trace, token: number | undefined): string {
  if (token === undefined) return t('the end');
  return t('token {0}, {1},', token + 1, positionName(trace, token));
}

function shown(value: string | undefined): string {
  if (value === undefined) return t('not said');
  return value.length > MAX_VALUE ? `${value.slice(0, MAX_VALUE)}…` : value;
}
