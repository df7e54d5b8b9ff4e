/** The whole page of two runs: what they differ in, their texts, maps, latents, probabilities and times. */

import type { VNode } from 'preact';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { messageOf } from '../../../base/errors.ts';
import { t } from '../../../base/l10n.ts';
import { SIDES, type ComparisonPageHost } from '../../../protocol/comparison.ts';
import type { ComparisonModel } from '../../comparisonModel.ts';
import { storedState, storeState } from '../../host.ts';
import { lookedAt, restoreComparisonView, type ComparisonView } from '../../logic/comparison.ts';
import { Notice } from '../Notice.tsx';
import { ComparedMaps } from './ComparedMaps.tsx';
import { ComparedNumbers } from './ComparedNumbers.tsx';
import { ComparedText } from './ComparedText.tsx';
import { ComparisonHeader } from './ComparisonHeader.tsx';
import type { ComparisonScene } from './scene.ts';

export function ComparisonApp({ model, host }: { model: ComparisonModel; host: ComparisonPageHost }): VNode {
  const [, setVersion] = useState(0);
  const [view, setView] = useState(() => restoreComparisonView(storedState()));
  const [notice, setNotice] = useState<string>();
  useEffect(() => {
    model.onChange(() => setVersion(model.version));
    // The host may have answered before the first effect ran.
    setVersion(model.version);
  }, [model]);
  const call = useCallback<ComparisonScene['call']>(
    (action) => {
      setNotice(undefined);
      action(host).catch((error: unknown) => setNotice(messageOf(error)));
    },
    [host],
  );
  const set = useCallback((values: Partial<ComparisonView>) => setView((now) => ({ ...now, ...values })), []);
  const { state, runs, comparison } = model;
  const refs = state?.refs;
  useEffect(() => {
    if (refs !== undefined) storeState({ ...view, refs });
  }, [view, refs]);
  const traces = useMemo(() => state && { a: state.a.trace, b: state.b.trace }, [state]);
  const looked = useMemo(
    () => traces && comparison && lookedAt(traces, comparison, view),
    [traces, comparison, view],
  );
  useEffect(() => {
    if (runs === undefined || looked === undefined) return;
    for (const side of SIDES) {
      runs[side].pictures.need(looked.pictures[side].id);
      model.want(side, [runs[side].maps.needs(looked.selectors[side])]);
    }
  }, [model, runs, looked]);
  if (state === undefined || runs === undefined || comparison === undefined || traces === undefined)
    return <p class="pad dim">{t('Connecting…')}</p>;
  const scene = { model, state, runs, traces, comparison, view, looked, set, call };
  const problem = notice ?? model.problem;
  return (
    <div class="comparison">
      <ComparisonHeader scene={scene} />
      {problem !== undefined && (
        <Notice
          text={problem}
          dismiss={() => {
            model.problem = undefined;
            setNotice(undefined);
          }}
        />
      )}
      <main class="comparison-body">
        <ComparedText scene={scene} />
        <div class="comparison-side">
          <ComparedMaps scene={scene} />
          <ComparedNumbers scene={scene} />
        </div>
      </main>
    </div>
  );
}
