/** The whole page of a training run: its state, its curves, the watched sample. */

import type { VNode } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { messageOf } from '../../../base/errors.ts';
import { t } from '../../../base/l10n.ts';
import type { TrainingPageHost } from '../../../protocol/training.ts';
import { storedState, storeState } from '../../host.ts';
import type { TrainingModel } from '../../trainingModel.ts';
import { Notice } from '../Notice.tsx';
import { Curves } from './Curves.tsx';
import { restoreTrainingView, type Call, type TrainingView } from './scene.ts';
import { TrainingHeader } from './TrainingHeader.tsx';
import { WatchedSample } from './WatchedSample.tsx';

export function TrainingApp({ model, host }: { model: TrainingModel; host: TrainingPageHost }): VNode {
  const [, setVersion] = useState(0);
  const [view, setView] = useState(() => restoreTrainingView(storedState()));
  const [notice, setNotice] = useState<string>();
  useEffect(() => {
    model.onChange(() => setVersion(model.version));
    // The host may have answered before the first effect ran.
    setVersion(model.version);
  }, [model]);
  const call = useCallback<Call>(
    (action) => {
      setNotice(undefined);
      action(host).catch((error: unknown) => setNotice(messageOf(error)));
    },
    [host],
  );
  const set = useCallback((values: Partial<TrainingView>) => setView((now) => ({ ...now, ...values })), []);
  const { state } = model;
  const folder = state?.folder;
  useEffect(() => {
    if (folder !== undefined) storeState({ ...view, folder });
  }, [view, folder]);
  if (state === undefined) return <p class="pad dim">{t('Connecting…')}</p>;
  const scene = { state, model, view, set, call };
  return (
    <div class="training">
      <TrainingHeader scene={scene} />
      {notice !== undefined && <Notice text={notice} dismiss={() => setNotice(undefined)} />}
      <main class="training-body">
        <Curves scene={scene} />
        <WatchedSample scene={scene} />
      </main>
    </div>
  );
}
