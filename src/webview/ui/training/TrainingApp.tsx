/** The whole page of a training run: its state, its curves, the watched sample. */

import type { VNode } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { messageOf } from '../../../base/errors.ts';
import type { TrainingPageHost, TrainingState } from '../../../protocol/training.ts';
import { storedState, storeState } from '../../host.ts';
import type { TrainingModel } from '../../trainingModel.ts';
import { Notice } from '../Notice.tsx';
import { Curves } from './Curves.tsx';
import { TrainingHeader } from './TrainingHeader.tsx';
import { WatchedSample } from './WatchedSample.tsx';

/** What the reader has set; survives reloads. The folder tells the host which run the page shows. */
export interface TrainingView {
  folder?: string;
  /** Weight of the past in the smoothed curves. */
  smoothing: number;
  log: boolean;
  /** One scale for the maps of a block. */
  locked: boolean;
}

const INITIAL: TrainingView = { smoothing: 0.9, log: false, locked: true };

/** Does something in the host; what goes wrong is told in the page. */
export type Call = (action: (host: TrainingPageHost) => Promise<void>) => void;

export interface TrainingScene {
  state: TrainingState;
  model: TrainingModel;
  view: TrainingView;
  set: (values: Partial<TrainingView>) => void;
  call: Call;
}

export function TrainingApp({ model, host }: { model: TrainingModel; host: TrainingPageHost }): VNode {
  const [, setVersion] = useState(0);
  const [view, setView] = useState(() => restored(storedState()));
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
  if (state === undefined) return <p class="pad dim">Connecting …</p>;
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

function restored(stored: unknown): TrainingView {
  if (typeof stored !== 'object' || stored === null) return INITIAL;
  const { smoothing, log, locked } = stored as Partial<Record<keyof TrainingView, unknown>>;
  return {
    smoothing:
      typeof smoothing === 'number' && smoothing >= 0 && smoothing < 1 ? smoothing : INITIAL.smoothing,
    log: typeof log === 'boolean' ? log : INITIAL.log,
    locked: typeof locked === 'boolean' ? locked : INITIAL.locked,
  };
}
