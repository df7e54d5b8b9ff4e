/** Both texts line by line; words shaded by how much their probability changed, or by their divergence. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import { SIDES } from '../../../protocol/comparison.ts';
import { linesOf, nats, type Fragment, type Line } from '../../logic/comparison.ts';
import { Button, ProgressRing } from '../../toolkit.tsx';
import { Segmented } from '../Segmented.tsx';
import type { ComparisonScene } from './scene.ts';

export function ComparedText({ scene }: { scene: ComparisonScene }): VNode {
  const { traces, comparison, state, view } = scene;
  const lines = useMemo(
    () => linesOf(traces, comparison, state.divergence, view.measure),
    [traces, comparison, state.divergence, view.measure],
  );
  return (
    <section class="compared-text" aria-label={t('Steps')}>
      <h2>{t('Steps')}</h2>
      <Measure scene={scene} />
      <table class="compared-lines">
        <thead>
          <tr>
            <th scope="col">A</th>
            <th scope="col">B</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line, i) => (
            <tr key={i}>
              {SIDES.map((side) => (
                <td key={side}>
                  {line.kind === 'text' ? (
                    <Words fragments={line[side]} />
                  ) : (
                    <Block scene={scene} line={line} side={side} />
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Words({ fragments }: { fragments: readonly Fragment[] }): VNode {
  return (
    <span class="compared-words">
      {fragments.map(({ text, isOther, shade, title }, i) =>
        isOther ? (
          <mark key={i}>{text}</mark>
        ) : (
          <span
            key={i}
            title={title}
            {...(shade !== undefined && {
              class: 'shaded',
              style: { '--shaded': `${Math.round(shade * 70)}%` },
            })}
          >
            {text}
          </span>
        ),
      )}
    </span>
  );
}

function Block({
  scene,
  line,
  side,
}: {
  scene: ComparisonScene;
  line: Extract<Line, { kind: 'block' }>;
  side: 'a' | 'b';
}): VNode | null {
  const block = line[side];
  const { pair } = line;
  if (block === undefined) return <span class="dim">{t('no block')}</span>;
  const name = t('Block {0}', block + 1);
  const count = scene.traces[side].blocks[block]?.latents ?? 0;
  const text = t('{0}, {1} latents', name, count);
  if (pair === undefined) return <mark>{text}</mark>;
  return (
    <button
      type="button"
      class="quiet link"
      aria-pressed={scene.view.pair === pair}
      onClick={() => scene.set({ pair, latent: 0 })}
    >
      {text}
    </button>
  );
}

/** What shades the words, and how the divergence is had. */
function Measure({ scene }: { scene: ComparisonScene }): VNode {
  const { view, set, state, model, comparison, call } = scene;
  const { divergence, locked } = state;
  const reason = comparison.noDivergence ?? locked;
  return (
    <div class="measure">
      <Segmented
        label={t('Words are shaded by')}
        visibleLabel
        value={view.measure}
        options={[
          {
            value: 'difference',
            label: t('log p of the word, B less A'),
            title: t('As the traces keep it: of the word that was written alone, not of the distribution'),
          },
          {
            value: 'divergence',
            label: t('KL of the distributions'),
            title: t('The model reads both runs again'),
          },
        ]}
        onChange={(measure) => set({ measure })}
      />
      {view.measure === 'divergence' &&
        (model.computing !== undefined ? (
          <span class="measure-state">
            <ProgressRing />
            {model.computing || t('Computing…')}
            <Button onClick={() => call((host) => host.cancelDivergence())}>{t('Cancel')}</Button>
          </span>
        ) : reason !== undefined ? (
          <span class="status status-warning">{reason}</span>
        ) : (
          <Button onClick={() => call(() => model.compute())}>
            {divergence === undefined ? t('Compute') : t('Compute again')}
          </Button>
        ))}
      <p class="dim">{summaryText(scene)}</p>
    </div>
  );
}

function summaryText({ view, comparison: { words }, state: { divergence } }: ComparisonScene): string {
  const values =
    view.measure === 'divergence'
      ? (divergence?.words ?? []).map(({ kl }) => kl)
      : words.flatMap(({ difference }) => difference ?? []);
  if (values.length === 0)
    return view.measure === 'divergence'
      ? t('KL is not in the traces: the model that made them computes it.')
      : t('{0} words in both; the traces do not keep their probabilities.', words.length);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const most = values.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return view.measure === 'divergence'
    ? t(
        '{0} words in both: KL(A ‖ B) on average {1} nats, at most {2}.',
        values.length,
        nats(mean),
        nats(most),
      )
    : t('{0} words in both: on average {1} nats, at most {2}.', values.length, nats(mean), nats(most));
}
