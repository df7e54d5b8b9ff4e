/** Cosines of the latents, place by place, and the times of both runs. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';
import { timingName } from '../../../trace/format.ts';
import { duration } from '../../logic/format.ts';
import type { ComparisonScene } from './scene.ts';

export function ComparedNumbers({ scene }: { scene: ComparisonScene }): VNode {
  return (
    <>
      <Latents scene={scene} />
      <Times scene={scene} />
    </>
  );
}

function Latents({ scene: { model, view, looked, set } }: { scene: ComparisonScene }): VNode {
  const { likeness } = model;
  const most = Math.max(0, ...(likeness ?? []).map(({ cosines }) => cosines.length));
  return (
    <section class="compared-latents" aria-label={t('Latents')}>
      <h2>{t('Latents')}</h2>
      {likeness === undefined ? (
        <p class="dim">{t('The trace is being read.')}</p>
      ) : likeness === null ? (
        <p class="dim">{t('The latents of the runs have other sizes: there is no angle between them.')}</p>
      ) : likeness.length === 0 ? (
        <p class="dim">{t('No block of the one run stands for one of the other.')}</p>
      ) : (
        <div class="compared-scroll" tabIndex={0} role="region" aria-label={t('Cosines of latents')}>
          <table>
            <caption class="dim">{t('Cosine of A’s and B’s latent at each place')}</caption>
            <thead>
              <tr>
                <th scope="col">{t('Block')}</th>
                {Array.from({ length: most }, (_, i) => (
                  <th key={i} scope="col">
                    {i + 1}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {likeness.map(({ a, b, cosines, distances }, pair) => (
                <tr key={pair}>
                  <th scope="row">{a === b ? a + 1 : `${a + 1} / ${b + 1}`}</th>
                  {cosines.map((cosine, i) => (
                    <td key={i} aria-current={view.pair === pair && looked?.place === i}>
                      <button
                        type="button"
                        class="quiet"
                        title={cellTitle(cosine, distances[i]!)}
                        onClick={() => set({ pair, latent: i })}
                      >
                        {cosine === null ? '–' : cosine.toFixed(2).replace('-', '−')}
                      </button>
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** What a place's cosine does not say. */
function cellTitle(cosine: number | null, distance: number | null): string {
  const apart = distance === null ? '' : t('Distance {0} of A’s length', distance.toFixed(3));
  if (cosine !== null) return apart;
  return [t('A latent of zeros has no direction, and so no cosine.'), apart].join(' ').trim();
}

function Times({ scene: { comparison } }: { scene: ComparisonScene }): VNode {
  const shown = (value: number | undefined): string => (value === undefined ? '–' : duration(value));
  return (
    <section class="compared-times" aria-label={t('Times')}>
      <h2>{t('Times')}</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">
              <span class="hidden">{t('Part')}</span>
            </th>
            <th scope="col">A</th>
            <th scope="col">B</th>
          </tr>
        </thead>
        <tbody>
          {comparison.timings.map(({ name, a, b }) => (
            <tr key={name}>
              <th scope="row">{timingName(name)}</th>
              <td>{shown(a)}</td>
              <td>{shown(b)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
