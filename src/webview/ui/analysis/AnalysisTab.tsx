/** What all analyses have in common: what is kept is shown, what is not can be computed here or is told how. */

import type { ComponentChildren, VNode } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import type { PanelAnalysis, AnalysisResult } from '../../../analysis/table.ts';
import type { AnalysisAnswer } from '../../../protocol/panelAnalyses.ts';
import type { OtherVersion } from '../../../trace/analyses.ts';
import type { AnalysisState } from '../../analyses.ts';
import { Button, ProgressRing } from '../../toolkit.tsx';
import type { Scene } from '../scene.ts';
import { AnalysisForm, valuesOf, type Parameters } from './AnalysisForm.tsx';

interface TabProps<Name extends PanelAnalysis> {
  scene: Scene;
  method: Name;
  view: (result: AnalysisResult<Name>) => ComponentChildren;
}

/** The result, and at its side how it is computed, by whom, and what it cannot show. */
export function AnalysisTab<Name extends PanelAnalysis>({ scene, method, view }: TabProps<Name>): VNode {
  const state = scene.analyses.state(method);
  const { answer } = state;
  const found = answer?.found;
  return (
    <div class="analysis" data-found={found !== undefined}>
      {found !== undefined && (
        <div
          class="analysis-result scrolls"
          tabIndex={0}
          role="region"
          aria-label={answer?.about.title ?? method}
        >
          {view(found.result)}
        </div>
      )}
      <div class="analysis-side scrolls" tabIndex={0} role="region" aria-label={t('How it is computed')}>
        <AnalysisHead
          scene={scene}
          method={method}
          state={state}
          compute={t('Compute')}
          again={t('Compute again')}
        />
        {answer !== undefined && (
          <p class="analysis-about dim">
            {answer.about.method} {answer.about.limits} {t('Source: {0}', answer.about.source)}
          </p>
        )}
      </div>
    </div>
  );
}

interface HeadProps {
  scene: Scene;
  method: PanelAnalysis;
  state: AnalysisState;
  /** What the button says, before and after. */
  compute: string;
  again: string;
}

/** Progress and cancel, or what can be done and set; who computed what is shown. */
export function AnalysisHead({ scene, method, state, compute, again }: HeadProps): VNode {
  const { analyses } = scene;
  const { answer, running, problem } = state;
  const [changed, change] = useState<Parameters>({});
  const held = { ...selectedIn(scene, method), ...changed };
  return (
    <div class="analysis-head">
      {answer?.canCompute === true && (
        <AnalysisForm
          fields={answer.fields}
          changed={held}
          disabled={running !== undefined}
          onChange={change}
        />
      )}
      {answer?.canCompute === true && method === 'dependence' && <p class="dim">{maskedText(scene)}</p>}
      {running !== undefined ? (
        <div class="analysis-running">
          <ProgressRing />
          <span>{running.progress || t('Computing…')}</span>
          <Button onClick={() => analyses.cancel(method)}>{t('Cancel')}</Button>
        </div>
      ) : answer === undefined ? (
        problem === undefined && <span class="dim">{t('The trace is being read.')}</span>
      ) : answer.canCompute ? (
        <Button
          onClick={() =>
            analyses.compute(method, { ...valuesOf(answer.fields, held), ...markedIn(scene, method) })
          }
        >
          {answer.found === undefined ? compute : again}
        </Button>
      ) : (
        answer.found === undefined && <Elsewhere answer={answer} />
      )}
      {running === undefined && answer?.other && (
        <>
          <Outdated {...answer.other} />
          {answer.found === undefined && <span>{t('It cannot be shown any more: compute it again.')}</span>}
        </>
      )}
      {running === undefined && answer?.found && <Origin answer={answer} />}
      {problem !== undefined && (
        <span class="analysis-problem" role="alert">
          {problem}
        </span>
      )}
      {state.needsModel !== undefined && (
        <Button onClick={() => void analyses.chooseModel(method)}>{t('Choose the model…')}</Button>
      )}
    </div>
  );
}

/** What is asked about one latent is asked about the selected one, unless the reader says another. */
function selectedIn({ shown: { latent } }: Scene, method: PanelAnalysis): Parameters {
  if (method !== 'faithfulness' || latent === undefined) return {};
  return { block: latent.block + 1, latent: latent.index + 1 };
}

/** What is masked is the region that is marked in the picture. */
function markedIn({ view: { region } }: Scene, method: PanelAnalysis): Parameters {
  if (method !== 'dependence' || region === undefined) return {};
  return { region: [region.top, region.left, region.bottom, region.right] };
}

/** What is masked when it is computed next; rows and columns count from 1. */
function maskedText({ view: { region } }: Scene): string {
  if (region === undefined)
    return t('Masked: the middle quarter. Drag a region on the picture to mask another.');
  const [top, bottom, left, right] = [region.top, region.bottom, region.left, region.right].map(
    (place) => place + 1,
  ) as [number, number, number, number];
  return t(
    'Masked: rows {0} to {1}, columns {2} to {3}, as marked on the picture.',
    top,
    bottom,
    left,
    right,
  );
}

function Elsewhere({ answer }: { answer: AnalysisAnswer }): VNode {
  return (
    <p>
      {t(
        'This trace does not keep this: {0}. This viewer has no model. Compute it in the panel of a run, or with',
        answer.about.title,
      )}{' '}
      <code>{answer.command}</code>
    </p>
  );
}

/** What stands in the trace was computed by another version of the method. */
function Outdated({ version, today, createdAt }: OtherVersion): VNode {
  return (
    <span class="analysis-outdated">
      {t(
        'Kept from {0}, by version {1} of this method; today’s is {2}.',
        createdAt.slice(0, 10),
        version,
        today,
      )}
    </span>
  );
}

function Origin({ answer: { found } }: { answer: AnalysisAnswer }): VNode {
  const { status, model, device } = found!;
  return (
    <span class="dim">
      {status === 'partial' && `${t('Stopped: this is what was known by then.')} `}
      {model !== undefined &&
        (device === undefined ? t('Computed by {0}.', model) : t('Computed by {0} on {1}.', model, device))}
    </span>
  );
}
