/** Latents or tokens from the largest amount down; each leads to its place in the steps. */

import type { VNode } from 'preact';
import { ranked } from '../logic/brushing.ts';
import { number, tokenLabel } from '../logic/format.ts';
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
  const entries = ranked(brush?.[of] ?? new Map());
  if (entries.length === 0) return null;
  const name = (index: number): string => {
    if (of === 'tokens') return tokenLabel(trace.tokens[index]!);
    const latent = trace.latents[index]!;
    return `block ${latent.block + 1}, latent ${latent.index + 1}`;
  };
  return (
    <section class="group">
      <h3>{title}</h3>
      <ol class="ranking">
        {entries.slice(0, LISTED).map(({ index, amount }) => (
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
              <span>{name(index)}</span>
              <span>{number(amount)}</span>
            </button>
          </li>
        ))}
      </ol>
      {entries.length > LISTED && <p class="dim">of {entries.length}</p>}
    </section>
  );
}
