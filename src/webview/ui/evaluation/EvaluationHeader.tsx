/** Which samples, which model, how far the evaluation is, and what can be done. */

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { plural, t } from '../../../base/l10n.ts';
import type { EvaluationState, StartChoice } from '../../../protocol/evaluation.ts';
import { FED, inOrderOfFed, USUAL, type Fed } from '../../../evaluation/fed.ts';
import { timeText } from '../../../watch/progress.ts';
import { Button } from '../../toolkit.tsx';
import { Fact } from '../Fact.tsx';
import { Segmented } from '../Segmented.tsx';
import { fedName, type EvaluationScene } from './scene.ts';

export function EvaluationHeader({ scene }: { scene: EvaluationScene }): VNode {
  const { state, call } = scene;
  const { evaluation } = state;
  return (
    <header class="header">
      <div class="header-top">
        <h1 title={state.file}>{state.name}</h1>
        {state.failure === undefined && <Actions scene={scene} />}
      </div>
      <ul class="facts" aria-label={t('About this evaluation')}>
        <Fact name={t('Samples')}>
          <b>{plural(state.samples, '{0} sample', '{0} samples')}</b>
          {state.reading && ` ${t('so far')}`}
        </Fact>
        <Fact name={t('Model')}>
          {t('model: {0}', state.model)}{' '}
          <button type="button" class="quiet link" onClick={() => call((host) => host.selectModel())}>
            {t('Change')}
          </button>
        </Fact>
        {evaluation !== undefined && evaluation.facts.length > 0 && (
          <Fact name={t('Settings of the results')}>{evaluation.facts.join(' · ')}</Fact>
        )}
      </ul>
      {evaluation?.running === true && <Progress evaluation={evaluation} />}
      <Statuses scene={scene} />
    </header>
  );
}

/** What is fed: the model's own latents, those of the papers too, or what the reader ticks. */
type Feeding = 'own' | 'all' | 'chosen';

function Actions({ scene: { state, call } }: { scene: EvaluationScene }): VNode {
  const [feeding, setFeeding] = useState<Feeding>('own');
  const [chosen, setChosen] = useState<readonly Fed[]>(USUAL);
  const [tests, setTests] = useState(false);
  const [limit, setLimit] = useState('');
  const { evaluation, locked } = state;
  const running = evaluation?.running === true;
  const first = Number(limit);
  const hasLimit = Number.isSafeInteger(first) && first >= 1;
  const passes = { own: ['own'] as const, all: USUAL, chosen: inOrderOfFed(chosen) }[feeding];
  const choice: StartChoice = { passes: [...passes], tests, ...(hasLimit && { limit: first }) };
  return (
    <div class="actions">
      <Segmented
        label={t('Latents')}
        value={feeding}
        options={[
          { value: 'own', label: t('own latents'), title: t('Every sample once, as the model reasons') },
          {
            value: 'all',
            label: t('the usual interventions'),
            title: t('Then again with latents zeroed, of noise, of another sample, and left out'),
          },
          {
            value: 'chosen',
            label: t('chosen …'),
            title: t('Which interventions are run is chosen below'),
          },
        ]}
        onChange={setFeeding}
      />
      <label
        class="analysis-switch"
        title={t(
          'Of each run with its own latents: KL per word without them, and how faithful the first latent’s map is. Takes several times as long as the run.',
        )}
      >
        <input type="checkbox" checked={tests} onChange={(event) => setTests(event.currentTarget.checked)} />
        {t('with tests')}
      </label>
      <label class="field">
        <span class="field-label">{t('first')}</span>
        <input
          class="number"
          type="number"
          min={1}
          placeholder={t('all')}
          value={limit}
          title={t('Only the first so many samples')}
          onInput={(event) => setLimit(event.currentTarget.value)}
        />
      </label>
      {running ? (
        <Button
          key="stop"
          appearance="primary"
          title={t('Ends after the samples at work; what is done is kept')}
          onClick={() => call((host) => host.stop())}
        >
          {t('Stop')}
        </Button>
      ) : (
        <Button
          key="start"
          appearance="primary"
          disabled={locked !== undefined || state.reading}
          title={locked ?? t('Runs in the background; samples that are done already are not done again')}
          onClick={() => call((host) => host.start(choice))}
        >
          {t('Evaluate')}
        </Button>
      )}
      <Button
        key="report"
        disabled={locked !== undefined || state.reading || running}
        title={
          locked ?? t('Runs what is left of all interventions and writes a page about what the latents carry')
        }
        onClick={() => call((host) => host.writeReport(hasLimit ? first : undefined))}
      >
        {t('Write report…')}
      </Button>
      {feeding === 'chosen' && <Choice chosen={chosen} choose={setChosen} />}
    </div>
  );
}

interface ChoiceProps {
  chosen: readonly Fed[];
  choose: (chosen: readonly Fed[]) => void;
}

/** Its own latents are always run: the others are compared with them. */
function Choice({ chosen, choose }: ChoiceProps): VNode {
  return (
    <div class="analysis-several evaluation-choice" role="group" aria-label={t('Latents')}>
      {FED.map((fed) => (
        <label key={fed} class="analysis-switch">
          <input
            type="checkbox"
            checked={chosen.includes(fed)}
            disabled={fed === 'own'}
            onChange={(event) =>
              choose(event.currentTarget.checked ? [...chosen, fed] : chosen.filter((each) => each !== fed))
            }
          />
          {fedName(fed)}
        </label>
      ))}
    </div>
  );
}

function Progress({ evaluation }: { evaluation: EvaluationState }): VNode {
  const { starting, done, total, secondsLeft } = evaluation;
  const words = [
    starting === true ? t('the model is being opened') : t('{0} of {1} done', done, total),
    ...(secondsLeft === undefined ? [] : [t('{0} left', timeText(secondsLeft))]),
  ];
  return (
    <div class="evaluation-progress">
      <progress
        {...(starting === true ? {} : { value: done })}
        max={Math.max(1, total)}
        aria-label={t('Samples done')}
      />
      <span class="dim">{words.join(' · ')}</span>
    </div>
  );
}

/** Said plainly where the rest does not say enough. */
function Statuses({ scene: { state, call } }: { scene: EvaluationScene }): VNode {
  const { evaluation, locked, unusable, problem, cut, samples, failure } = state;
  return (
    <>
      {locked !== undefined && (
        <p class="status status-warning" role="status">
          {locked}{' '}
          <button type="button" class="quiet link" onClick={() => call((host) => host.manageTrust())}>
            {t('Manage trust')}
          </button>
        </p>
      )}
      {evaluation?.failure !== undefined && (
        <p class="status status-error" role="alert">
          {evaluation.failure}
        </p>
      )}
      {failure === undefined && unusable > 0 && (
        <p class="status status-warning" role="status">
          {plural(
            unusable,
            '{0} sample cannot be evaluated and counts as not answered:',
            '{0} samples cannot be evaluated and count as not answered; the first:',
          )}{' '}
          {problem}
        </p>
      )}
      {cut && (
        <p class="status status-warning" role="status">
          {t('The file holds more samples; the first {0} are shown.', samples)}
        </p>
      )}
    </>
  );
}
