/** The token that is looked at: what it is, and which latents it drew on. */

import type { VNode } from 'preact';
import { percent, tokenLabel } from '../logic/format.ts';
import { Figure, Group } from './Figure.tsx';
import { Ranking } from './Ranking.tsx';
import type { Scene } from './scene.ts';

export function TokenReadout({ scene, token: index }: { scene: Scene; token: number }): VNode {
  const { trace, shown, brush } = scene;
  const token = trace.tokens[index]!;
  const hasRow = scene.maps.row(index, shown.selector.layer, 'mean') !== undefined;
  return (
    <>
      <Group title="Token">
        <Figure name="text" value={tokenLabel(token)} strong />
        <Figure name="id" value={String(token.id)} />
        <Figure name="in the sequence" value={String(token.position)} />
        {token.probability !== undefined && <Figure name="probability" value={percent(token.probability)} />}
        {token.forced && <Figure name="chosen by" value="the caller" />}
      </Group>
      {!hasRow && <p class="dim group">This trace holds no attention of this token.</p>}
      {brush?.latents.size !== 0 && <Ranking scene={scene} title="Latents it attends to" of="latents" />}
    </>
  );
}
