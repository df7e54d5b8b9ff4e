/** Dependence: one row for each change of the picture; where a region is marked in the picture, that is what is masked. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';
import type { AnalysisResult } from '../../../analysis/table.ts';
import { whyMissing } from '../../../evidence/causality.ts';
import {
  changeName,
  dependenceVerdict,
  likenessText,
  type ChangedPicture,
} from '../../../evidence/dependence.ts';
import { withUnanswered } from '../../../evidence/unanswered.ts';
import { number } from '../../../evidence/format.ts';
import type { Scene } from '../scene.ts';
import { Controls } from './Controls.tsx';
import { Verdict } from './Verdict.tsx';

export function DependenceView({
  scene,
  result,
}: {
  scene: Scene;
  result: AnalysisResult<'dependence'>;
}): VNode {
  return (
    <div class="doubt">
      <Verdict {...withUnanswered(dependenceVerdict(result), scene.trace)} />
      <table class="table doubt-table">
        <caption>
          {t('Mean cosine · mean relative distance to the own states; KL per word and Δ log p, in nats')}
        </caption>
        <thead>
          <tr>
            <th scope="col">{t('The picture is')}</th>
            <th scope="col" class="numeric">
              {t('Picture’s features')}
            </th>
            <th scope="col" class="numeric">
              {t('Latents')}
            </th>
            <th scope="col" class="numeric">
              {t('Words')}
            </th>
            <th scope="col" class="numeric">
              {t('Question')}
            </th>
            <th scope="col" class="numeric" title={t('KL per word, and change of log p of the answer')}>
              {t('Effect in all')}
            </th>
            <th
              scope="col"
              class="numeric"
              title={t('The same where only the latents have seen the changed picture')}
            >
              {t('Through the latents')}
            </th>
          </tr>
        </thead>
        <tbody>
          {result.changes.map((changed) => (
            <Row key={changed.change} changed={changed} />
          ))}
        </tbody>
      </table>
      <Controls
        scene={scene}
        method="dependence"
        tests={result.changes.map(({ change }) => ({ test: change, name: changeName(change) }))}
      />
    </div>
  );
}

function Row({ changed }: { changed: ChangedPicture }): VNode {
  const { change, missing, picture, latents, words, question, whole, through } = changed;
  return (
    <tr>
      <th scope="row">{changeName(change)}</th>
      {missing !== undefined ? (
        <td colSpan={6} class="dim">
          {t('not tried: {0}', whyMissing(missing))}
        </td>
      ) : (
        <>
          {[picture, latents, words, question].map((part, i) => (
            <td key={i} class="numeric">
              {likenessText(part)}
            </td>
          ))}
          {[whole, through].map((part, i) => (
            <td key={i} class="numeric">
              {part && `${number(part.kl)} · ${number(part.answer)}`}
            </td>
          ))}
        </>
      )}
    </tr>
  );
}
