/** The word that is looked at: what it is, and which latents it drew on. */

import type { VNode } from 'preact';
import { percent, tokenLabel } from '../logic/format.ts';
import { Figure, Group } from './Figure.tsx';
import { Ranking } from './Ranking.tsx';
import type { Scene } from './scene.ts';

export function TokenReadout({ scene, token: index }: { scene: Scene; token: number }): VNode {
  const { trace, brush } = scene;
  const token = trace.tokens[index]!;
  return (
    <>
      <Group title="Token">
        <Figure name="text" value={tokenLabel(token)} strong />
        <Figure name="id" value={String(token.id)} title="Number in the model’s vocabulary" />
        <Figure
          name="position"
          value={String(token.position)}
          title="Place in the whole sequence, prompt included, counted from 0"
        />
        {token.probability !== undefined && <Figure name="probability" value={percent(token.probability)} />}
        {token.forced && <Figure name="chosen by" value="the caller" />}
      </Group>
      <p class="dim group">
        {token.attention !== undefined
          ? `Its own query, which predicts the next token. Words store the mean of their heads only. ${brush?.lack ?? ''}`
          : 'This trace holds no attention of this token.'}
      </p>
      {brush?.latents.size !== 0 && <Ranking scene={scene} title="Latents it looks at" of="latents" />}
    </>
  );
}
