/** Who looks at the selected region: latents and tokens, ranked. */

import type { VNode } from 'preact';
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
        <h3>Region</h3>
        <p>
          {span('row', top, bottom)}, {span('column', left, right)}
        </p>
        <p class="dim">{brush?.title}</p>
        <button
          type="button"
          class="quiet link"
          onClick={() => dispatch({ type: 'region', region: undefined })}
        >
          Clear
        </button>
      </section>
      <Ranking scene={scene} title="Latents" of="latents" />
      <Ranking scene={scene} title="Words" of="tokens" />
      {noTokens && (
        <p class="dim group">
          {shown.selector.kind === 'attention'
            ? 'This trace holds no attention of words.'
            : 'Words have attention only.'}
        </p>
      )}
    </>
  );
}

function span(noun: string, first: number, last: number): string {
  return first === last ? `${noun} ${first + 1}` : `${noun}s ${first + 1}–${last + 1}`;
}
