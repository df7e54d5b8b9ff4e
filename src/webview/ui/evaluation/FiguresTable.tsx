/** The figures of every pass, as `ilvr evaluate` prints them, with a bar for each interval; and their export. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';
import type { Share } from '../../../evaluation/figures.ts';
import { percent, points, probability } from '../../../evaluation/words.ts';
import { natsText } from '../../../evidence/causality.ts';
import { signed } from '../../../evidence/faithfulness.ts';
import type { EvaluationState, PassState, TestsState } from '../../../protocol/evaluation.ts';
import { fedName, type EvaluationScene } from './scene.ts';

/** Below this probability a difference is called more than chance, as is customary. */
const SIGNIFICANCE = 0.05;

export function FiguresTable({ scene }: { scene: EvaluationScene }): VNode | null {
  const { state, query, ask } = scene;
  const { evaluation } = state;
  if (evaluation === undefined) return null;
  const { passes } = evaluation;
  const sizes = [...new Set(passes.flatMap((pass) => pass.sizes.map(({ size }) => size)))].toSorted(
    (a, b) => a - b,
  );
  const compares = passes.some(({ effect }) => effect !== undefined);
  return (
    <section class="figures" aria-label={t('Figures')}>
      <Tools scene={scene} evaluation={evaluation} />
      {passes.length > 0 && (
        <div class="figures-scroll" tabIndex={0} role="region" aria-label={t('Figures of every pass')}>
          <table class="figures-table">
            <thead>
              <tr>
                <th scope="col">{t('latents')}</th>
                <th scope="col" class="numeric">
                  {t('right')}
                </th>
                <th scope="col">{t('share, 95 % interval')}</th>
                {sizes.map((size) => (
                  <th key={size} scope="col" class="numeric">{`${size} × ${size}`}</th>
                ))}
                {compares && (
                  <>
                    <th scope="col" class="numeric">
                      {t('against own, points')}
                    </th>
                    <th scope="col" class="numeric" title={t('McNemar’s exact test')}>
                      p
                    </th>
                    <th scope="col" class="numeric">
                      {t('texts changed')}
                    </th>
                  </>
                )}
              </tr>
            </thead>
            <tbody>
              {passes.map((pass) => (
                <PassRow
                  key={pass.fed}
                  pass={pass}
                  sizes={sizes}
                  compares={compares}
                  isShown={pass.fed === query.fed}
                  show={() => ask({ fed: pass.fed })}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {evaluation.tests !== undefined && <Tests tests={evaluation.tests} />}
    </section>
  );
}

/** Means over the runs that were tested. */
function Tests({ tests: { kl, faithfulness } }: { tests: TestsState }): VNode {
  return (
    <p class="figures-tests">
      {kl !== undefined && (
        <span title={t('The markers alone, its own words fed; mean over {0} runs, 95 % interval', kl.of)}>
          {t('KL per word without latents')} <b>{natsText(kl.mean)}</b>{' '}
          <span class="dim">{t('{0} to {1} nats', natsText(Math.max(0, kl.low)), natsText(kl.high))}</span>
        </span>
      )}
      {faithfulness !== undefined && (
        <span
          title={t('Of the first latent of each run; mean over {0} runs, 95 % interval', faithfulness.of)}
        >
          {t('Map faithfulness')} <b>{signed(faithfulness.mean)}</b>{' '}
          <span class="dim">{t('{0} to {1}', signed(faithfulness.low), signed(faithfulness.high))}</span>
        </span>
      )}
    </p>
  );
}

/** Which results, and what can be had of them. */
function Tools({
  scene: { state, call },
  evaluation,
}: {
  scene: EvaluationScene;
  evaluation: EvaluationState;
}): VNode {
  const { evaluations } = state;
  const { passes } = evaluation;
  return (
    <div class="figures-tools">
      {evaluations.length > 0 && (
        <label class="field">
          <span class="field-label">{t('Results')}</span>
          <select
            value={evaluation.id}
            onChange={(event) => {
              const id = event.currentTarget.value;
              call((host) => host.choose(id));
            }}
          >
            {evaluations.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {passes.length > 0 && (
        <div class="field">
          <span class="field-label">{t('Figures as')}</span>
          {(['csv', 'markdown', 'latex'] as const).map((form) => (
            <button
              key={form}
              type="button"
              class="quiet link"
              title={form === 'csv' ? t('Save as CSV') : t('Copy as a table for a paper')}
              onClick={() => call((host) => host.exportFigures(form, form === 'csv' ? 'file' : 'clipboard'))}
            >
              {{ csv: 'CSV', markdown: 'Markdown', latex: 'LaTeX' }[form]}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

interface PassRowProps {
  pass: PassState;
  sizes: number[];
  compares: boolean;
  isShown: boolean;
  show: () => void;
}

function PassRow({ pass, sizes, compares, isShown, show }: PassRowProps): VNode {
  const { fed, all, effect } = pass;
  const bySize = new Map(pass.sizes.map(({ size, share }) => [size, share]));
  return (
    <tr data-shown={isShown}>
      <th scope="row">
        <button
          type="button"
          class="quiet link"
          aria-pressed={isShown}
          title={t('Show the answers of this pass in the rows')}
          onClick={show}
        >
          {fedName(fed)}
        </button>
      </th>
      <td class="numeric">{`${all.right}/${all.of}`}</td>
      <td class="share">
        <Bar share={all} />
        <b>{all.of === 0 ? '' : percent(all.right / all.of)}</b>{' '}
        <span class="dim">{t('{0} to {1}', (all.low * 100).toFixed(1), percent(all.high))}</span>
      </td>
      {sizes.map((size) => {
        const share = bySize.get(size);
        return (
          <td key={size} class="numeric">
            {share === undefined ? '' : `${share.right}/${share.of}`}
          </td>
        );
      })}
      {compares && (effect === undefined ? <NoEffect /> : <EffectCells effect={effect} />)}
    </tr>
  );
}

function NoEffect(): VNode {
  return <td colSpan={3} />;
}

function EffectCells({ effect }: { effect: NonNullable<PassState['effect']> }): VNode {
  const { difference, low, high, p, changed, samples, open } = effect;
  const isMore = p < SIGNIFICANCE;
  const chance = open
    ? t('Too few answers are right for this test to decide anything')
    : t('This may be chance');
  return (
    <>
      <td class="numeric">
        <b>{points(difference)}</b> <span class="dim">{t('{0} to {1}', points(low), points(high))}</span>
      </td>
      <td class="numeric" title={isMore ? t('More than chance explains') : chance}>
        {isMore ? <b>{probability(p).replace(/^= /, '')}</b> : probability(p).replace(/^= /, '')}
      </td>
      <td class="numeric">{`${changed}/${samples}`}</td>
    </>
  );
}

/** The share as a mark within its interval, on a line from 0 to 1. */
function Bar({ share: { right, of, low, high } }: { share: Share }): VNode {
  const at = of === 0 ? 0 : right / of;
  return (
    <svg class="share-bar" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <line class="share-line" x1="0" x2="100" y1="6" y2="6" />
      <rect class="share-interval" x={low * 100} y="3" width={Math.max(1, (high - low) * 100)} height="6" />
      <rect class="share-mark" x={Math.min(98, at * 100 - 1)} y="0" width="2" height="12" />
    </svg>
  );
}
