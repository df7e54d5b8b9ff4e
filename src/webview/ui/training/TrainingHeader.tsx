/** Which run it is, how it goes, how far it is, and what can be done with it. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';
import { unreachable } from '../../../base/errors.ts';
import type { TrainingState } from '../../../protocol/training.ts';
import { deviceLabel, isDevice } from '../../../tensor/device.ts';
import { leftOutOf, progressOf, timeText } from '../../../watch/progress.ts';
import { Button } from '../../toolkit.tsx';
import { Fact } from '../Fact.tsx';
import type { TrainingScene } from './scene.ts';

export function TrainingHeader({ scene }: { scene: TrainingScene }): VNode {
  const { state } = scene;
  const step = state.metrics.at(-1)?.step ?? 0;
  const progress = state.steps === undefined ? undefined : progressOf(state.metrics, state.steps);
  const { leftOut, of, most } = leftOutOf(state.metrics);
  const going = state.state === 'running';
  return (
    <header class="header">
      <div class="header-top">
        <h1 title={state.folder}>{state.name}</h1>
        <Actions scene={scene} />
      </div>
      <ul class="facts" aria-label={t('About this run')}>
        <Fact name={t('State')}>
          <b>{stateText(state.state)}</b>
        </Fact>
        <Fact name={t('Progress')}>
          <b>{state.steps === undefined ? t('step {0}', step) : t('step {0} of {1}', step, state.steps)}</b>
        </Fact>
        {progress !== undefined && (
          <Fact name={t('Throughput')}>{t('{0} samples/s', progress.samplesPerSecond.toFixed(1))}</Fact>
        )}
        {going && progress?.secondsLeft !== undefined && step < (state.steps ?? 0) && (
          <Fact name={t('Time left')}>{t('{0} left', timeText(progress.secondsLeft))}</Fact>
        )}
        {state.device !== undefined && (
          <Fact name={t('Device')}>{isDevice(state.device) ? deviceLabel(state.device) : state.device}</Fact>
        )}
        {state.facts.length > 0 && <Fact name={t('Config')}>{state.facts.join(' · ')}</Fact>}
      </ul>
      {state.steps !== undefined && (
        <progress class="training-progress" value={step} max={state.steps} aria-label={t('Steps done')} />
      )}
      {state.locked !== undefined && (
        <p class="status status-warning" role="status">
          {state.locked}{' '}
          <button type="button" class="quiet link" onClick={() => scene.call((host) => host.manageTrust())}>
            {t('Manage trust')}
          </button>
        </p>
      )}
      {most && (
        <p class="status status-warning" role="note">
          {t(
            'Of the last {0} steps {1} were left out, as their gradients were longer than “skipAbove” allows. The run learns from the others alone. A lower learning rate, a longer warm-up or a higher “skipAbove” may help.',
            of,
            leftOut,
          )}
        </p>
      )}
      <Status scene={scene} step={step} />
    </header>
  );
}

function Actions({ scene: { state, call } }: { scene: TrainingScene }): VNode {
  const { locked } = state;
  const live = state.state === 'running' || state.state === 'paused';
  return (
    <div class="actions">
      {state.state === 'running' && (
        <Button
          appearance="primary"
          {...unless(locked, t('Finishes the step, saves, and waits with the model in memory'))}
          onClick={() => call((host) => host.pause())}
        >
          {t('Pause')}
        </Button>
      )}
      {canResume(state) && (
        <Button
          appearance="primary"
          {...unless(locked, t('Goes on exactly where the run was saved last'))}
          onClick={() => call((host) => host.resume())}
        >
          {t('Resume')}
        </Button>
      )}
      {live && (
        <Button
          {...unless(locked, t('Finishes the step, saves, and ends; what was learnt is kept'))}
          onClick={() => call((host) => host.stop())}
        >
          {t('Stop and keep')}
        </Button>
      )}
      <Button
        {...unless(locked, t('The file that the run was started with'))}
        onClick={() => call((host) => host.openConfig())}
      >
        {t('Open config')}
      </Button>
      <Button title={state.folder} onClick={() => call((host) => host.showFolder())}>
        {t('Show folder')}
      </Button>
    </div>
  );
}

/** A button that is off says why; one that is on, what it does. */
function unless(locked: string | undefined, does: string): { title: string; disabled: boolean } {
  return { title: locked ?? does, disabled: locked !== undefined };
}

function canResume({ state }: TrainingState): boolean {
  return state === 'paused' || state === 'stopped' || state === 'failed' || state === 'killed';
}

function stateText(state: TrainingState['state']): string {
  switch (state) {
    case 'starting':
      return t('starting');
    case 'running':
      return t('running');
    case 'paused':
      return t('paused');
    case 'stopped':
      return t('stopped');
    case 'finished':
      return t('finished');
    case 'failed':
      return t('failed');
    case 'killed':
      return t('interrupted');
    case 'unknown':
      return t('not running');
    default:
      return unreachable(state);
  }
}

/** Said plainly where the state alone does not say enough. */
function Status({ scene, step }: { scene: TrainingScene; step: number }): VNode | null {
  const { state, call } = scene;
  switch (state.state) {
    case 'starting':
      return (
        <p class="status" role="status">
          {t('The model and the data are being opened.')}
        </p>
      );
    case 'paused':
      return (
        <p class="status status-warning" role="status">
          {t('Paused after step {0}, which is saved. The model stays in memory.', step)}
        </p>
      );
    case 'killed':
      return (
        <p class="status status-warning" role="status">
          {t(
            "The run's process is gone. Resuming goes on from the last checkpoint; the steps since then are done again.",
          )}
        </p>
      );
    case 'failed':
      return (
        <p class="status status-error" role="alert">
          {state.error ?? t('The run failed.')}{' '}
          {state.hasPlace && (
            <button
              type="button"
              class="quiet link"
              {...unless(state.locked, t('What the error is about'))}
              onClick={() => call((host) => host.openError())}
            >
              {t('Open file')}
            </button>
          )}
        </p>
      );
    case 'running':
    case 'stopped':
    case 'finished':
    case 'unknown':
      return null;
    default:
      return unreachable(state.state);
  }
}
