/** The whole page of a samples file: what is evaluated, the figures, the rows. */

import type { VNode } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { messageOf } from '../../../base/errors.ts';
import { t } from '../../../base/l10n.ts';
import type { EvaluationPageHost, RowQuery } from '../../../protocol/evaluation.ts';
import type { EvaluationModel } from '../../evaluationModel.ts';
import { storeState } from '../../host.ts';
import { Notice } from '../Notice.tsx';
import { EvaluationHeader } from './EvaluationHeader.tsx';
import { FiguresTable } from './FiguresTable.tsx';
import { Filters } from './Filters.tsx';
import { RowsGrid } from './RowsGrid.tsx';
import type { EvaluationScene } from './scene.ts';

export function EvaluationApp({ model, host }: { model: EvaluationModel; host: EvaluationPageHost }): VNode {
  const [, setVersion] = useState(0);
  const [notice, setNotice] = useState<string>();
  useEffect(() => {
    model.onChange(() => setVersion(model.version));
    // The host may have answered before the first effect ran.
    setVersion(model.version);
  }, [model]);
  const call = useCallback<EvaluationScene['call']>(
    (action) => {
      setNotice(undefined);
      action(host).catch((error: unknown) => setNotice(messageOf(error)));
    },
    [host],
  );
  const ask = useCallback(
    (values: Partial<RowQuery>): void => {
      const next = { ...model.query, ...values };
      if (next.size === undefined) delete next.size;
      if (next.tests === undefined) delete next.tests;
      model.ask(next);
      storeState(next);
    },
    [model],
  );
  const { state } = model;
  if (state === undefined) return <p class="pad dim">{t('Connecting…')}</p>;
  const scene: EvaluationScene = { state, model, query: model.query, ask, call };
  return (
    <div class="evaluation">
      <EvaluationHeader scene={scene} />
      {notice !== undefined && <Notice text={notice} dismiss={() => setNotice(undefined)} />}
      {state.failure === undefined ? (
        <main class="evaluation-body">
          <FiguresTable scene={scene} />
          <Filters scene={scene} />
          <RowsGrid scene={scene} />
        </main>
      ) : (
        <main class="evaluation-failure">
          <p role="alert" class="status status-error">
            {state.failure}
          </p>
          <button type="button" class="quiet link" onClick={() => call((to) => to.openLine(1))}>
            {t('Open the file as text')}
          </button>
        </main>
      )}
    </div>
  );
}
