/** The picture that the selected latent looks at, large, with everything needed to read it. */

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { ColourBar } from './ColourBar.tsx';
import { MapControls } from './MapControls.tsx';
import { Readout } from './Readout.tsx';
import type { Scene } from './scene.ts';
import { StagePicture } from './StagePicture.tsx';
import { StageToolbar } from './StageToolbar.tsx';

export function Stage({ scene }: { scene: Scene }): VNode {
  const [hovered, setHovered] = useState<number>();
  const { stage, shown, view } = scene;
  const patch = hovered ?? view.patch;
  const problem = scene.problems.get(shown.picture?.id ?? '');
  return (
    <section class="stage" aria-label="Map">
      <StageToolbar scene={scene} />
      <div class="stage-body">
        <StagePicture scene={scene} hovered={hovered} onHover={setHovered} />
        {stage.map !== undefined && <ColourBar scene={scene} patch={patch} />}
        <Readout scene={scene} patch={patch ?? stage.map?.peak} isPeak={patch === undefined} />
      </div>
      {problem !== undefined && (
        <p class="status status-warning" role="status">
          {problem}
        </p>
      )}
      <MapControls scene={scene} />
      <p class="caption" data-token={stage.token !== undefined}>
        {stage.map?.caption ?? stage.absent}
        {stage.map?.selected !== undefined && ' Outlined: the candidates that the rule would keep.'}
        {shown.picture !== undefined && shown.picture.range === undefined && (
          <> This helper was not part of the prompt, so there is no attention over it.</>
        )}
      </p>
    </section>
  );
}
