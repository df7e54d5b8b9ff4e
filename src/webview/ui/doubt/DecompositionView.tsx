/** Decomposition: what becomes of the answer while a block's parts are taken away, and what each part adds. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';
import { DECOMPOSED } from '../../../analysis/decomposition.ts';
import type { AnalysisResult } from '../../../analysis/table.ts';
import { natsText, spreadText, whyMissing } from '../../../evidence/causality.ts';
import {
  conditionName,
  CONDITIONS,
  conditionsOf,
  decompositionVerdict,
  LEFT,
  partName,
  partsOf,
  type Condition,
} from '../../../evidence/decomposition.ts';
import type { Scene } from '../scene.ts';
import { Controls } from './Controls.tsx';
import { Verdict } from './Verdict.tsx';

type Decomposition = AnalysisResult<'decomposition'>;

export function DecompositionView({ scene, result }: { scene: Scene; result: Decomposition }): VNode {
  return (
    <div class="doubt">
      <Verdict {...decompositionVerdict(result)} />
      <div class="doubt-parts">
        <Conditions result={result} />
        <Parts result={result} />
      </div>
      <Controls
        scene={scene}
        method="decomposition"
        tests={DECOMPOSED.map((kind) => ({ test: kind, name: conditionName(kind) }))}
      />
    </div>
  );
}

/** From the whole block to none. */
function Conditions({ result }: { result: Decomposition }): VNode {
  const { own } = result;
  const isJudged = own?.right !== undefined;
  return (
    <table class="table doubt-table">
      <caption>{t('What is left of the blocks')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('Left')}</th>
          <th scope="col">{t('Content')}</th>
          <th scope="col">{t('Slots')}</th>
          <th scope="col">{t('Markers')}</th>
          <th scope="col" class="numeric" title={t('Its own words fed: mean KL over the words, in nats')}>
            {t('KL per word')}
          </th>
          <th scope="col" class="numeric" title={t('Change of the log-probability of the answer, in nats')}>
            {t('Δ log p, answer')}
          </th>
          <th scope="col">{t('Answer')}</th>
          {isJudged && <th scope="col">{t('Right')}</th>}
        </tr>
      </thead>
      <tbody>
        {CONDITIONS.map((condition) => (
          <Row key={condition} result={result} condition={condition} isJudged={isJudged} />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  result: Decomposition;
  condition: Condition;
  isJudged: boolean;
}

function Row({ result, condition, isJudged }: RowProps): VNode {
  const isWhole = condition === 'whole';
  const variant = result.variants.find(({ kind }) => kind === condition);
  const written = isWhole ? result.own : variant?.free[0];
  const summary = isWhole ? undefined : conditionsOf(result).get(condition);
  const { content, slots, markers } = LEFT[condition];
  return (
    <tr>
      <th scope="row">{conditionName(condition)}</th>
      {[content, slots, markers].map((isLeft, i) => (
        <td key={i}>
          <span role="img" aria-label={isLeft ? t('left') : t('taken away')}>
            {isLeft ? '●' : '○'}
          </span>
        </td>
      ))}
      {variant?.missing === undefined ? (
        <>
          <td class="numeric" data-strong={summary?.moves === true}>
            {isWhole ? '0' : spreadText(summary?.kl)}
          </td>
          <td class="numeric">{isWhole ? '0' : spreadText(summary?.answer, true)}</td>
          <td class="doubt-answer" data-strong={summary?.changes === true}>
            {written === undefined ? '' : (written.answer ?? t('none'))}
          </td>
          {isJudged && <td>{written?.right === undefined ? '' : written.right ? t('yes') : t('no')}</td>}
        </>
      ) : (
        <td colSpan={isJudged ? 4 : 3} class="dim">
          {t('not tried: {0}', whyMissing(variant.missing))}
        </td>
      )}
    </tr>
  );
}

function Parts({ result }: { result: Decomposition }): VNode | null {
  const parts = partsOf(result);
  if (parts === undefined) return null;
  return (
    <table class="table doubt-table">
      <caption>{t('What each adds to log p of the answer, nats')}</caption>
      <tbody>
        {parts.map(({ part, answer }) => (
          <tr key={part}>
            <th scope="row">{partName(part)}</th>
            <td class="numeric">{natsText(answer)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
