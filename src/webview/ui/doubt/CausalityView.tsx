/** Causality: one row for each variant, and of the chosen one the words: how each moved, and what it wrote instead. */

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import type { InterventionKind } from '../../../analysis/intervention.ts';
import type { AnalysisResult } from '../../../analysis/table.ts';
import {
  klOfWords,
  summariesOf,
  variantName,
  spreadText,
  verdictOf,
  whyMissing,
  type VariantSummary,
} from '../../../evidence/causality.ts';
import { number } from '../../../evidence/format.ts';
import type { Scene } from '../scene.ts';
import { Controls } from './Controls.tsx';
import { together, Verdict } from './Verdict.tsx';

type Causality = AnalysisResult<'causality'>;
type Written = Causality['variants'][number]['free'][number];

export function CausalityView({ scene, result }: { scene: Scene; result: Causality }): VNode {
  const summaries = summariesOf(result);
  const [wished, setWished] = useState<InterventionKind>();
  const tried = summaries.filter(({ missing }) => missing === undefined);
  const chosen = tried.find(({ kind }) => kind === wished) ?? tried[0];
  return (
    <div class="doubt">
      <Verdict {...verdictOf(result)} />
      {chosen !== undefined && (
        <Controls
          scene={scene}
          method="causality"
          tests={[{ test: chosen.kind, name: variantName(chosen.kind) }]}
        />
      )}
      <div class="doubt-parts">
        <Variants result={result} summaries={summaries} chosen={chosen?.kind} choose={setWished} />
        {chosen !== undefined && <Words scene={scene} result={result} kind={chosen.kind} />}
      </div>
    </div>
  );
}

interface VariantsProps {
  result: Causality;
  summaries: readonly VariantSummary[];
  chosen: InterventionKind | undefined;
  choose: (kind: InterventionKind) => void;
}

function Variants({ result: { own }, summaries, chosen, choose }: VariantsProps): VNode {
  const isJudged = own?.right !== undefined;
  return (
    <table class="table doubt-table">
      <caption>{t('What is fed in place of the latents')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('Fed')}</th>
          <th scope="col" class="numeric" title={t('Its own words fed: mean KL over the words, in nats')}>
            {t('KL per word')}
          </th>
          <th scope="col" class="numeric" title={t('Change of the log-probability of the answer, in nats')}>
            {t('Δ log p, answer')}
          </th>
          <th scope="col">{t('Other answers')}</th>
          {isJudged && <th scope="col">{t('Right')}</th>}
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">{t('its own')}</th>
          <td class="numeric">0</td>
          <td class="numeric">0</td>
          <td class="doubt-answer">{own?.answer ?? t('none')}</td>
          {isJudged && <td>{own.right ? t('yes') : t('no')}</td>}
        </tr>
        {summaries.map((summary) => (
          <tr key={summary.kind} data-current={summary.kind === chosen}>
            <th scope="row">
              {summary.missing === undefined ? (
                <button
                  type="button"
                  class="quiet"
                  aria-pressed={summary.kind === chosen}
                  onClick={() => choose(summary.kind)}
                >
                  {variantName(summary.kind)}
                </button>
              ) : (
                variantName(summary.kind)
              )}
            </th>
            {summary.missing === undefined ? (
              <Figures summary={summary} isJudged={isJudged} />
            ) : (
              <td colSpan={isJudged ? 4 : 3} class="dim">
                {t('not tried: {0}', whyMissing(summary.missing))}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Figures({ summary, isJudged }: { summary: VariantSummary; isJudged: boolean }): VNode {
  const { kl, answer, followed, unanswered, otherAnswers, right, moves, changes } = summary;
  return (
    <>
      <td class="numeric" data-strong={moves}>
        {together(spreadText(kl))}
      </td>
      <td class="numeric">{together(spreadText(answer, true))}</td>
      <td data-strong={changes} title={unanswered > 0 ? t('{0} stated none', unanswered) : undefined}>
        {otherAnswers === undefined ? '–' : t('{0} of {1}', otherAnswers, followed)}
      </td>
      {isJudged && <td>{right === undefined ? '' : t('{0} of {1}', right, followed)}</td>}
    </>
  );
}

/** Full shade, in nats. */
const FULL = 1;

function Words({ scene, result, kind }: { scene: Scene; result: Causality; kind: InterventionKind }): VNode {
  const variant = result.variants.find((each) => each.kind === kind)!;
  const kl = klOfWords(variant, result.words.length);
  const pick = (token: number) => scene.hoverToken(token);
  return (
    <div class="doubt-words">
      <h3>{t('Its own words fed: KL of each, up to {0} nat', FULL)}</h3>
      <p class="doubt-text">
        {result.words.map(({ token, text }, i) => (
          <span
            key={token}
            class="doubt-word"
            style={{ '--doubt': shade(kl[i]!) }}
            title={Number.isNaN(kl[i]!) ? t('not yet known') : t('KL {0} nats', number(kl[i]!))}
            onPointerEnter={() => pick(token)}
            onPointerLeave={() => scene.hoverToken(undefined)}
          >
            {text}
          </span>
        ))}
      </p>
      <h3>{t('Writing by itself')}</h3>
      {variant.free.map((written, draw) => (
        <Free key={draw} written={written} own={result.own} />
      ))}
    </div>
  );
}

/** What it wrote up to the first other word, and on. */
function Free({ written, own }: { written: Written; own: Written | undefined }): VNode {
  const { words, difference, right } = written;
  if (difference === undefined) {
    return (
      <p class="doubt-text">
        <span class="dim">{t('the same words')}</span>
      </p>
    );
  }
  const instead = own?.words[difference];
  return (
    <p class="doubt-text">
      <span class="dim">{words.slice(0, difference).join('')}</span>
      <mark
        title={
          instead === undefined ? t('The own answer ends here.') : t('in place of “{0}”', instead.trim())
        }
      >
        {words[difference] ?? t('(end)')}
      </mark>
      {words.slice(difference + 1).join('')}
      {right !== undefined && <b class="doubt-judged">{right ? t('right') : t('wrong')}</b>}
    </p>
  );
}

/** The square root, so that small ones are seen; from 0 to 100 %. */
function shade(kl: number): string {
  return Number.isNaN(kl) ? '0%' : `${Math.round(100 * Math.sqrt(Math.min(1, kl / FULL)))}%`;
}
