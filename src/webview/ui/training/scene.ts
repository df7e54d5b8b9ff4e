/** What every part of a training run's page draws from. */

import { LAWS, type Law } from '../../../heatmap/law.ts';
import type { TrainingPageHost, TrainingState } from '../../../protocol/training.ts';
import type { TrainingModel } from '../../trainingModel.ts';

/** What the reader has set; survives reloads. The folder tells the host which run the page shows. */
export interface TrainingView {
  folder?: string;
  /** Weight of the past in the smoothed curves. */
  smoothing: number;
  log: boolean;
  /** One scale for the maps of a block. */
  locked: boolean;
  law: Law;
}

const INITIAL: TrainingView = { smoothing: 0.9, log: false, locked: true, law: 'spotlight' };

/** Does something in the host; what goes wrong is told in the page. */
export type Call = (action: (host: TrainingPageHost) => Promise<void>) => void;

export interface TrainingScene {
  state: TrainingState;
  model: TrainingModel;
  view: TrainingView;
  set: (values: Partial<TrainingView>) => void;
  call: Call;
}

/** Reads a stored view; anything that is not of the expected kind falls back to the default. */
export function restoreTrainingView(stored: unknown): TrainingView {
  if (typeof stored !== 'object' || stored === null) return INITIAL;
  const { smoothing, log, locked, law } = stored as Partial<Record<keyof TrainingView, unknown>>;
  return {
    smoothing:
      typeof smoothing === 'number' && smoothing >= 0 && smoothing < 1 ? smoothing : INITIAL.smoothing,
    log: typeof log === 'boolean' ? log : INITIAL.log,
    locked: typeof locked === 'boolean' ? locked : INITIAL.locked,
    law: LAWS.find((known) => known === law) ?? INITIAL.law,
  };
}
