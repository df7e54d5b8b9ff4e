/** Who looks at the selected region: latents and tokens, ranked. */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import type { Region } from '../logic/grid.ts';
import { Ranking } from './Ranking.tsx';
import type { Scene } from './scene.ts';

export function RegionReadout({ scene, region }: { scene: Scene; region: Region }): VNode {
  const { brush, dispatch, shown } = scene;
  const { top, left, bottom, right } = region;
  const noTokens = brush?.tokens.size === 0;
  return (
    <>
      <section class="group">
        <h3>{t('Region')}</h3>
        <p>
          {rows(top, bottom)}, {columns(left, right)}
        </p>
        <p class="dim">{brush?.title}</p>
        <button
          type="button"
          class="quiet link"
          onClick={() => dispatch({ type: 'region', region: undefined })}
        >
          {t('Clear')}
        </button>
      </section>
      <Ranking scene={scene} title={t('Latents')} of="latents" />
      <Ranking scene={scene} title={t('Words')} of="tokens" />
      {noTokens && (
        <p class="dim group">
          {shown.selector.kind === 'attention'
            ? t('This trace holds no attention of words.')
            : t('Words have attention only.')}
        </p>
      )}
    </>
  );
}

function rows(first: number, last: number): string {
  return first === last ? t('row {0}', first + 1) : t('rows {0}–{1}', first + 1, last + 1);
}

function columns(first: number, last: number): string {
  return first === last ? t('column {0}', first + 1) : t('columns {0}–{1}', first + 1, last + 1);
}
