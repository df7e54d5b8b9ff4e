/** The word that is looked at: what it is, and which latents it drew on. */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import { percent, tokenLabel } from '../logic/format.ts';
import { Figure, Group } from './Figure.tsx';
import { Ranking } from './Ranking.tsx';
import type { Scene } from './scene.ts';

export function TokenReadout({ scene, token: index }: { scene: Scene; token: number }): VNode {
  const { trace, brush } = scene;
  const token = trace.tokens[index]!;
  return (
    <>
      <Group title={t('Token')}>
        <Figure name={t('text')} value={tokenLabel(token)} strong />
        <Figure name={t('id')} value={String(token.id)} title={t('Number in the model’s vocabulary')} />
        <Figure
          name={t('position')}
          value={String(token.position)}
          title={t('Place in the whole sequence, prompt included, counted from 0')}
        />
        {token.probability !== undefined && (
          <Figure name={t('probability')} value={percent(token.probability)} />
        )}
        {token.forced && <Figure name={t('chosen by')} value={t('the caller')} />}
      </Group>
      <p class="dim group">
        {token.attention !== undefined
          ? `${t('Its own query, which predicts the next token. Words store the mean of their heads only.')} ${brush?.lack ?? ''}`
          : t('This trace holds no attention of this token.')}
      </p>
      {brush?.latents.size !== 0 && <Ranking scene={scene} title={t('Latents it looks at')} of="latents" />}
    </>
  );
}
