/** The picture that the selected latent looks at, large, with everything needed to read it. */

import type { VNode } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import { openingOf } from '../../trace/opening.ts';
import { captionOf } from '../logic/caption.ts';
import { layoutOf, sideWidth } from '../logic/stageLayout.ts';
import { contourShare } from '../logic/view.ts';
import { ColourBar } from './ColourBar.tsx';
import { MapControls } from './MapControls.tsx';
import { Readout } from './Readout.tsx';
import type { Scene } from './scene.ts';
import { StagePicture } from './StagePicture.tsx';
import { StageToolbar } from './StageToolbar.tsx';
import { useMedia } from './useMedia.ts';
import { useSize } from './useSize.ts';

/** As in layout.css. */
const STACKED = '(max-width: 820px)';

export function Stage({ scene }: { scene: Scene }): VNode {
  const [hovered, setHovered] = useState<number>();
  const { stage, view, shown } = scene;
  const patch = hovered ?? view.patch;
  const problem = scene.problems.get(shown.picture?.id ?? '');
  const box = useRef<HTMLElement>(null);
  const room = useSize(box);
  const { width, height } = shown.picture ?? { width: 1, height: 1 };
  const { kind, bar } = layoutOf(room, width / height, useMedia(STACKED));
  return (
    <section
      ref={box}
      class="stage"
      aria-label={t('Map')}
      aria-busy={scene.busy}
      data-layout={kind}
      data-bar={bar}
      data-plain={shown.selector.kind === 'attention' && view.reading === 'raw'}
      style={{ '--side': `${sideWidth(room.width)}px` }}
    >
      <h2 class="hidden">{t('Map')}</h2>
      <StageToolbar scene={scene} />
      {problem !== undefined && (
        <p class="status status-warning" role="status">
          {problem}
        </p>
      )}
      <StagePicture scene={scene} hovered={hovered} onHover={setHovered} />
      {stage.map === undefined ? <span class="colour-bar" /> : <ColourBar scene={scene} patch={patch} />}
      <div class="stage-side">
        <MapControls scene={scene} />
        <p class="caption" data-token={stage.token !== undefined} tabIndex={0}>
          {captionText(scene)}
        </p>
        <Readout scene={scene} patch={patch ?? stage.map?.peak} isPeak={patch === undefined} />
      </div>
    </section>
  );
}

function captionText({ stage, shown, view, trace }: Scene): string | undefined {
  const { map, selector } = stage;
  if (map === undefined) return stage.absent;
  const { kind, layer } = selector;
  const note =
    kind === 'attention' && layer === openingOf(trace).layer()
      ? t('Of all layers this one looks most.')
      : undefined;
  return captionOf(map, contourShare(view), shown.picture, note);
}
