/** Which picture, which kind of map, which latent. */

import type { VNode } from 'preact';
import { message, t, translated, type Message } from '../../base/l10n.ts';
import { MAP_KINDS, type MapKind } from '../../heatmap/map.ts';
import { latentsOf } from '../../trace/steps.ts';
import { pictureLabel } from '../logic/resolve.ts';
import { Button } from '../toolkit.tsx';
import { FigureMenu } from './FigureMenu.tsx';
import type { Scene } from './scene.ts';
import { Segmented } from './Segmented.tsx';

const KIND_LABELS: Record<MapKind, Message> = {
  attention: message('Attention'),
  selection: message('Selection'),
  similarity: message('Similarity'),
};

/** More pictures than this are a list: a row of buttons would not fit. */
const MAX_SEGMENTS = 4;

export function StageToolbar({ scene }: { scene: Scene }): VNode {
  const { stage, shown, trace, dispatch } = scene;
  const kinds = MAP_KINDS.map((value) => ({
    value,
    label: translated(KIND_LABELS[value]),
    ...(!shown.kinds.includes(value) && {
      disabled: true,
      title: t('This picture was not part of the prompt, so nothing attended to it'),
    }),
  }));
  return (
    <div class="toolbar">
      <PictureChooser scene={scene} />
      <Segmented
        label={t('Kind of map')}
        value={shown.selector.kind}
        options={kinds}
        onChange={(kind) => dispatch({ type: 'set', values: { kind } })}
      />
      <div class="stepper">
        <span class="stepper-title" data-token={stage.token !== undefined}>
          {stage.title}
          {stage.token === undefined && shown.latent !== undefined && (
            <span class="dim"> {t('of {0}', latentsOf(trace, shown.latent.block).length)}</span>
          )}
        </span>
        <Button
          appearance="icon"
          label={t('Previous latent')}
          title={t('Previous latent (←)')}
          disabled={shown.latentIndex <= 0}
          onClick={() => dispatch({ type: 'latent', latent: shown.latentIndex - 1 })}
        >
          ◀
        </Button>
        <Button
          appearance="icon"
          label={t('Next latent')}
          title={t('Next latent (→)')}
          disabled={shown.latentIndex >= trace.latents.length - 1}
          onClick={() => dispatch({ type: 'latent', latent: shown.latentIndex + 1 })}
        >
          ▶
        </Button>
        <FigureMenu scene={scene} />
      </div>
    </div>
  );
}

function PictureChooser({ scene: { trace, shown, dispatch } }: { scene: Scene }): VNode {
  const choose = (picture: string): void => dispatch({ type: 'set', values: { picture } });
  const value = shown.picture?.id ?? '';
  const nameOf = (id: string): string | undefined =>
    trace.pictures.find((picture) => picture.id === id)?.name;
  const options = trace.pictures.map((picture) => ({
    value: picture.id,
    label: pictureLabel(trace, picture),
    title: picture.range === undefined ? t('{0}, which the model did not see', picture.name) : picture.name,
  }));
  if (options.length <= MAX_SEGMENTS) {
    return <Segmented label={t('Picture')} value={value} options={options} onChange={choose} />;
  }
  return (
    <select aria-label={t('Picture')} value={value} onChange={(event) => choose(event.currentTarget.value)}>
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}: {nameOf(option.value)}
        </option>
      ))}
    </select>
  );
}
