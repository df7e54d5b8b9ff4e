/** Latents or words from the largest amount down; each leads to its place in the steps. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { t } from '../../base/l10n.ts';
import { ranked } from '../logic/brushing.ts';
import { number } from '../logic/format.ts';
import { wordPlaces, type WordPlace } from '../logic/places.ts';
import type { Scene } from './scene.ts';

interface RankingProps {
  scene: Scene;
  title: string;
  of: 'tokens' | 'latents';
}

/** The steps show all of them; the list is for the first. */
const LISTED = 6;

export function Ranking({ scene, title, of }: RankingProps): VNode | null {
  const { brush, trace, dispatch } = scene;
  const amounts = brush?.[of];
  const entries = useMemo(() => ranked(amounts ?? new Map()), [amounts]);
  if (entries.length === 0) return null;
  const listed = entries.slice(0, LISTED);
  const words =
    of === 'tokens'
      ? wordPlaces(
          trace,
          listed.map(({ index }) => index),
        )
      : [];
  return (
    <section class="group">
      <h3>{title}</h3>
      <ol class="ranking">
        {listed.map(({ index, amount }, i) => (
          <li key={index}>
            <button
              type="button"
              class="quiet"
              onClick={() =>
                dispatch(
                  of === 'tokens' ? { type: 'token', token: index } : { type: 'latent', latent: index },
                )
              }
            >
              {words[i] === undefined ? (
                <LatentName scene={scene} index={index} />
              ) : (
                <Word place={words[i]} />
              )}
              <span>{number(amount)}</span>
            </button>
          </li>
        ))}
      </ol>
      {entries.length > LISTED && <p class="dim">{t('of {0}', entries.length)}</p>}
    </section>
  );
}

function LatentName({ scene: { trace }, index }: { scene: Scene; index: number }): VNode {
  const latent = trace.latents[index]!;
  return <span>{t('block {0}, latent {1}', latent.block + 1, latent.index + 1)}</span>;
}

/** The word in its line, and which step that is. */
function Word({ place: { step, before, word, after } }: { place: WordPlace }): VNode {
  return (
    <span class="word">
      {step !== undefined && <span class="dim">{t('step {0}:', step)} </span>}
      <span class="dim">{before}</span>
      <b>{word}</b>
      <span class="dim">{after}</span>
    </span>
  );
}
