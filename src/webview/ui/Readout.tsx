/** Figures beside the picture: the patch that is read, where the query's mass goes, how narrow it is. */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import { placeText } from '../../heatmap/grid.ts';
import { isNearlyUniform } from '../../heatmap/statistics.ts';
import type { MassBySource } from '../../trace/looks.ts';
import { isShare } from '../../trace/maps.ts';
import { number, percent, share } from '../logic/format.ts';
import { pixelsOf } from '../logic/grid.ts';
import { FaithfulnessReadout } from './FaithfulnessReadout.tsx';
import { Figure, Group } from './Figure.tsx';
import { RegionReadout } from './RegionReadout.tsx';
import type { Scene } from './scene.ts';
import { TokenReadout } from './TokenReadout.tsx';

interface ReadoutProps {
  scene: Scene;
  patch: number | undefined;
  /** Nothing is pointed at: the patch is the largest one. */
  isPeak: boolean;
}

export function Readout({ scene, patch, isPeak }: ReadoutProps): VNode {
  const { stage, token, view } = scene;
  const { map } = stage;
  return (
    <aside class="readout" aria-label={t('Readout')} tabIndex={0}>
      {token !== undefined && <TokenReadout scene={scene} token={token} />}
      {token === undefined && view.region !== undefined && (
        <RegionReadout scene={scene} region={view.region} />
      )}
      {map !== undefined && patch !== undefined && (
        <PatchReadout scene={scene} patch={patch} isPeak={isPeak} />
      )}
      <SinkReadout scene={scene} />
      {stage.selector.kind === 'attention' && map !== undefined && <MassReadout scene={scene} />}
      <FaithfulnessReadout scene={scene} />
      {map?.entropy !== undefined && (
        <Group title={t('Entropy over the picture')}>
          <Figure name={t('this map')} value={t('{0} bits', map.entropy.bits.toFixed(2))} />
          <Figure
            name={t('at most')}
            value={t('{0} bits', map.entropy.uniformBits.toFixed(2))}
            title={t('Of a map that is the same everywhere')}
          />
          {isNearlyUniform(map.entropy) && <Figure name={t('so it is')} value={t('nearly uniform')} strong />}
        </Group>
      )}
    </aside>
  );
}

function PatchReadout({ scene, patch, isPeak }: ReadoutProps & { patch: number }): VNode | null {
  const { stage, shown } = scene;
  const { map, selector } = stage;
  const { picture } = shown;
  if (map === undefined || picture === undefined) return null;
  const { x, y } = pixelsOf(patch, picture);
  const value = map.values[patch] ?? NaN;
  return (
    <Group title={isPeak ? t('Largest patch') : t('Patch')}>
      <Figure name={t('place')} value={placeText(patch, map)} />
      <Figure name={t('token')} value={t('{0} of {1}', patch + 1, map.rows * map.columns)} />
      {picture.range !== undefined && (
        <Figure
          name={t('position')}
          value={String(picture.range.start + patch)}
          title={t('Place in the whole sequence, counted from 0')}
        />
      )}
      <Figure name={t('pixels {0}', 'x')} value={`${x[0]}–${x[1]}`} />
      <Figure name={t('pixels {0}', 'y')} value={`${y[0]}–${y[1]}`} />
      <Figure name={map.unit} value={number(value)} strong />
      {map.mass !== undefined && map.mass > 0 && map.reading !== 'relative' && isShare(selector) && (
        <Figure name={t('of the picture’s mass')} value={percent(value / map.mass)} />
      )}
      {map.selected !== undefined && (
        <Figure name={t('kept by the rule')} value={map.selected.has(patch) ? t('yes') : t('no')} />
      )}
    </Group>
  );
}

/** A patch that most latents look at most, whatever they look for, says little about one of them. */
function SinkReadout({ scene: { maps, stage, view, dispatch } }: { scene: Scene }): VNode | null {
  const { selector, token, map } = stage;
  const sink = selector.kind === 'attention' && token === undefined ? maps.sink(selector) : undefined;
  if (sink === undefined || map === undefined) return null;
  const isMasked = view.reading === 'masked';
  return (
    <section class="group sink">
      <h3>{t('Sink')}</h3>
      <p>
        {t(
          '{0} is the largest patch for {1} of {2} latents here.',
          placeText(sink.patch, map),
          sink.queries,
          sink.of,
        )}
        {map.removed !== undefined && ` ${t('Masked: {0} of this map’s mass.', percent(map.removed.share))}`}
      </p>
      <button
        type="button"
        class="quiet link"
        onClick={() => dispatch({ type: 'toggle-reading', reading: 'masked' })}
      >
        {isMasked ? t('Show it') : t('Mask it')}
      </button>
    </section>
  );
}

function MassReadout({ scene: { stage } }: { scene: Scene }): VNode | null {
  if (!isShare(stage.selector)) {
    return (
      <section class="group">
        <h3>{t('Mass by source')}</h3>
        <p class="dim">{t('Maxima over layers or heads do not add up to shares.')}</p>
      </section>
    );
  }
  return stage.mass === undefined ? null : <Sources mass={stage.mass} />;
}

function Sources({ mass }: { mass: MassBySource }): VNode {
  const sources: [name: string, value: number, title: string][] = [
    [t('pictures'), mass.pictures, t('Attention to all pictures of the prompt')],
    [t('prompt text'), mass.prompt, t('Attention to the words of the prompt')],
    [t('latents'), mass.latents, t('Attention to earlier latents, and its own position')],
    [t('answer'), mass.answer, t('Attention to words of the answer so far')],
  ];
  return (
    <Group title={t('Mass by source')}>
      {sources.map(([name, value, title]) => (
        <Figure key={name} name={name} value={share(value)} title={title} bar={value} />
      ))}
    </Group>
  );
}
