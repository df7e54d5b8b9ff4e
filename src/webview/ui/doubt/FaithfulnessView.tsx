/** Faithfulness: scores of each latent that was tested, and the curves of one of them. */

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import type { AnalysisResult } from '../../../analysis/table.ts';
import {
  faithfulnessVerdict,
  isApart,
  scoresOf,
  scoreText,
  whyNoScore,
  type FaithfulnessCurves,
} from '../../../evidence/faithfulness.ts';
import { withUnanswered } from '../../../evidence/unanswered.ts';
import { number, positionName } from '../../../evidence/format.ts';
import type { Scene } from '../scene.ts';
import { Controls } from './Controls.tsx';
import { together, Verdict } from './Verdict.tsx';

type Faithfulness = AnalysisResult<'faithfulness'>;

export function FaithfulnessView({ scene, result }: { scene: Scene; result: Faithfulness }): VNode {
  const { trace, dispatch } = scene;
  const [wished, setWished] = useState<number>();
  const tested = result.latents;
  const chosen = tested.find(({ latent }) => latent === wished) ?? tested[0];
  const { data: fractions } = result.fractions;
  const pick = (latent: number): void => {
    setWished(latent);
    dispatch({ type: 'latent', latent });
  };
  return (
    <div class="doubt">
      <Verdict {...withUnanswered(faithfulnessVerdict(result), trace)} />
      <div class="doubt-parts">
        {chosen !== undefined && (
          <div class="doubt-plots">
            <Legend hasMean={chosen.state.mean !== undefined || chosen.answer.mean !== undefined} />
            <Curves title={t('Cosine of the next state')} curves={chosen.state} fractions={fractions} />
            <Curves
              title={t('Change of the answer’s log p, nats')}
              curves={chosen.answer}
              fractions={fractions}
            />
          </div>
        )}
        <table class="table doubt-table">
          <caption>{t('Area between the map and random orders, layer {0}', result.layer + 1)}</caption>
          <thead>
            <tr>
              <th scope="col">{t('Latent')}</th>
              <th scope="col" class="numeric">
                {t('Next state')}
              </th>
              <th scope="col" class="numeric">
                {t('by the sink alone')}
              </th>
              <th scope="col" class="numeric">
                {t('Answer, nats')}
              </th>
            </tr>
          </thead>
          <tbody>
            {tested.map((each) => {
              const { latent, state, answer } = each;
              const [byState, byAnswer] = [scoresOf(state, fractions), scoresOf(answer, fractions)];
              return (
                <tr key={latent} data-current={latent === chosen?.latent}>
                  <th scope="row">
                    <button
                      type="button"
                      class="quiet"
                      aria-pressed={latent === chosen?.latent}
                      onClick={() => pick(latent)}
                    >
                      {positionName(trace, trace.latents[latent]!.token)}
                    </button>
                  </th>
                  <td
                    class="numeric"
                    data-strong={isApart(byState.map)}
                    title={whyNoScore(each, result.layer)}
                  >
                    {together(scoreText(byState.map))}
                  </td>
                  <td class="numeric">{together(scoreText(byState.sink))}</td>
                  <td class="numeric" data-strong={isApart(byAnswer.map)}>
                    {together(scoreText(byAnswer.map))}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <Controls
        scene={scene}
        method="faithfulness"
        tests={[{ test: 'faithfulness', name: t('Answer, nats') }]}
      />
    </div>
  );
}

/** Of both charts, above them: below, it would be out of sight. */
function Legend({ hasMean }: { hasMean: boolean }): VNode {
  return (
    <p class="doubt-legend">
      <span class="doubt-key-deletion">{t('deletion')}</span>{' '}
      <span class="doubt-key-insertion">{t('insertion')}</span>{' '}
      <span class="doubt-key-sink">{t('sink’s deletion')}</span>{' '}
      {hasMean && <span class="doubt-key-mean">{t('all towards the mean')}</span>}{' '}
      <span class="doubt-key-band">{t('random orders')}</span>
    </p>
  );
}

const [WIDTH, HEIGHT] = [220, 120];

interface CurvesProps {
  title: string;
  curves: FaithfulnessCurves;
  fractions: Float32Array;
}

/** Deletion, insertion, the sink's deletion and all patches moved to the mean, over the band of random orders. */
function Curves({ title, curves, fractions }: CurvesProps): VNode {
  const { deletion, insertion, sinkDeletion, random, mean } = curves;
  const all = [deletion, insertion, sinkDeletion, random, mean].flatMap((curve) => [...(curve?.data ?? [])]);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const x = (i: number): number => fractions[i]! * WIDTH;
  const y = (value: number): number => HEIGHT * (1 - (value - least) / (most - least || 1));
  const points = (values: ArrayLike<number>): string =>
    Array.from(values, (value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  const [orders = 0, count = 0] = random.shape;
  const atEach = (pick: (...values: number[]) => number): number[] =>
    Array.from({ length: count }, (_, i) =>
      pick(...Array.from({ length: orders }, (__, order) => random.data[order * count + i]!)),
    );
  const band = [
    ...points(atEach(Math.max)).split(' '),
    ...points(atEach(Math.min)).split(' ').toReversed(),
  ].join(' ');
  return (
    <figure class="doubt-curves">
      <figcaption>
        {title} <span class="dim">{t('{0} to {1}, by share of patches', number(least), number(most))}</span>
      </figcaption>
      <svg viewBox={`-2 -2 ${WIDTH + 4} ${HEIGHT + 4}`} role="img" aria-label={title}>
        <polygon class="doubt-band" points={band} />
        {mean !== undefined && <polyline class="doubt-mean" points={points(mean.data)} />}
        {sinkDeletion !== undefined && <polyline class="doubt-sink" points={points(sinkDeletion.data)} />}
        {insertion !== undefined && <polyline class="doubt-insertion" points={points(insertion.data)} />}
        {deletion !== undefined && <polyline class="doubt-deletion" points={points(deletion.data)} />}
      </svg>
    </figure>
  );
}
