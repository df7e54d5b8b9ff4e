/**
 * The watched sample: what the teacher selects in each helper picture, and what each of the student's
 * latents selects there, now or at any step that was looked at.
 */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { plural, t } from '../../../base/l10n.ts';
import type { WatchRequest } from '../../../watch/status.ts';
import type { WatchedStep } from '../../../watch/watched.ts';
import { Button, Checkbox } from '../../toolkit.tsx';
import { lawOptions } from '../laws.ts';
import { Segmented } from '../Segmented.tsx';
import type { TrainingScene } from './scene.ts';
import { WatchedBlockView } from './WatchedBlockView.tsx';

export function WatchedSample({ scene }: { scene: TrainingScene }): VNode {
  const { state, model } = scene;
  const { looks, watch } = state;
  // Absent: live, the newest look.
  const [chosen, setChosen] = useState<number>();
  const [shown, setShown] = useState<WatchedStep>();
  const index =
    chosen === undefined
      ? looks.length - 1
      : Math.max(
          0,
          looks.findIndex((step) => step >= chosen),
        );
  const step = looks[index];
  const look = step === undefined ? undefined : model.look(step);
  const isLook = look !== undefined && !(look instanceof Error);
  // While the next look is on its way, the last one stays: a blank in between would flicker.
  useEffect(() => {
    if (isLook) setShown(look);
  }, [isLook, look]);
  const watched = isLook ? look : shown?.sample === watch?.sample ? shown : undefined;
  return (
    <section class="watched" aria-label={t('Watched sample')}>
      <div class="training-tools">
        <h2>{t('Watched sample')}</h2>
        {watch !== undefined && (
          <Chooser key={`${watch.sample} ${watch.every}`} watch={watch} scene={scene} />
        )}
      </div>
      {looks.length > 0 && (
        <Timeline
          looks={looks}
          index={index}
          isNewest={chosen === undefined}
          isGoingOn={state.state === 'running' || state.state === 'paused'}
          choose={setChosen}
        />
      )}
      {look instanceof Error && <p class="status status-error">{look.message}</p>}
      {watched === undefined ? (
        <p class="dim">{waiting(scene, looks.length)}</p>
      ) : (
        <Watched watched={watched} scene={scene} />
      )}
    </section>
  );
}

function waiting({ state }: TrainingScene, looks: number): string {
  if (looks > 0) return t('Reading …');
  if (state.watch?.every === 0) return t('No sample is looked at: choose after how many steps.');
  return state.state === 'starting' || state.state === 'running'
    ? t('The first look comes with the first step.')
    : t('This run has not looked at the sample.');
}

/** Which sample, and how often; obeyed after the step that is going on. */
function Chooser({ watch, scene }: { watch: WatchRequest; scene: TrainingScene }): VNode {
  const { call } = scene;
  const { locked } = scene.state;
  const change = (values: Partial<WatchRequest>): void => call((host) => host.watch({ ...watch, ...values }));
  const whole = (value: string): number | undefined => (/^\d{1,9}$/.test(value) ? Number(value) : undefined);
  return (
    <>
      <label class="field">
        <span class="field-label" title={t('Counted from 0 in the order of the file')}>
          {t('Sample')}
        </span>
        <input
          class="number"
          type="number"
          min={0}
          value={watch.sample}
          disabled={locked !== undefined}
          title={locked ?? ''}
          onChange={(event) => {
            const sample = whole(event.currentTarget.value);
            if (sample !== undefined) change({ sample });
          }}
        />
      </label>
      <label class="field">
        <span class="field-label">{t('every')}</span>
        <input
          class="number"
          type="number"
          min={0}
          value={watch.every}
          disabled={locked !== undefined}
          title={locked ?? ''}
          aria-label={t('Steps between two looks; 0 for never')}
          onChange={(event) => {
            const every = whole(event.currentTarget.value);
            if (every !== undefined) change({ every });
          }}
        />
        <span class="field-label">{t('steps')}</span>
      </label>
    </>
  );
}

interface TimelineProps {
  looks: readonly number[];
  index: number;
  /** The newest look is shown, and each that comes. */
  isNewest: boolean;
  isGoingOn: boolean;
  choose: (step: number | undefined) => void;
}

function Timeline({ looks, index, isNewest, isGoingOn, choose }: TimelineProps): VNode {
  const isLive = isNewest && isGoingOn;
  return (
    <div class="timeline">
      <input
        type="range"
        min={0}
        max={looks.length - 1}
        value={index}
        disabled={looks.length < 2}
        aria-label={t('Step that is shown')}
        aria-valuetext={t('after step {0}', looks[index]!) + (isLive ? `, ${t('live')}` : '')}
        onInput={(event) => choose(looks[Number(event.currentTarget.value)])}
      />
      <span class="timeline-step">
        <b>{t('after step {0}', looks[index]!)}</b>
        <span class="dim">
          {' '}
          ({plural(looks.length, '{0} look', '{0} looks')}, {t('{0} to {1}', looks[0]!, looks.at(-1)!)})
        </span>
      </span>
      {isLive && <span class="live">{t('live')}</span>}
      {!isNewest && (
        <Button
          title={t('Shows the newest look again, and each that comes')}
          onClick={() => choose(undefined)}
        >
          {t('Go live')}
        </Button>
      )}
    </div>
  );
}

function Watched({ watched, scene }: { watched: WatchedStep; scene: TrainingScene }): VNode {
  const { where, question, problem, blocks, stage } = watched;
  return (
    <>
      {where !== '' && (
        <p class="watched-about">
          <b>{question.replaceAll('<image>', '').trim()}</b>
          <span class="dim" title={where}>
            {' '}
            {where.replace(/^.*[\\/]/, '')}
          </span>
        </p>
      )}
      {problem !== undefined && <p class="status status-warning">{problem}</p>}
      {blocks.length > 0 && (
        <div class="training-tools">
          <Checkbox
            checked={scene.view.locked}
            title={t('One scale for all maps of a block, so that they can be compared')}
            onChange={(locked) => scene.set({ locked })}
          >
            {t('one scale for a block')}
          </Checkbox>
          <Segmented
            label={t('Draw maps as')}
            value={scene.view.law}
            options={lawOptions()}
            onChange={(law) => scene.set({ law })}
          />
        </div>
      )}
      {blocks.map((block, index) => (
        <WatchedBlockView key={index} block={block} index={index} scene={scene} />
      ))}
      {blocks.length > 0 && <p class="dim watched-caption">{captionOf(watched, stage)}</p>}
    </>
  );
}

function captionOf({ blocks }: WatchedStep, stage: number): string {
  const isGrouped = blocks.some(({ groupSize }) => groupSize > 1);
  return [
    t(
      "Selection probability: softmax of the cosines with the helper picture's features, the trainer's own rule; framed are the features that it picks, numbered in the teacher's order. The query is the teacher's, or the student's latent.",
    ),
    ...(isGrouped ? [t('Candidates are means of neighbouring tokens.')] : []),
    stage === 1
      ? t("The student reads the answer with the teacher's targets given as its latents.")
      : t('The student reads the answer with its own latents fed back.'),
    t('This is selection, not attention, and no latent is decoded to a picture.'),
  ].join(' ');
}
