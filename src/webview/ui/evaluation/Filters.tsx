/** Which rows are shown. */

import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { plural, t } from '../../../base/l10n.ts';
import { OUTCOMES, TEST_FILTERS, type RowQuery } from '../../../protocol/evaluation.ts';
import { fedName, outcomeName, testFilterName, type EvaluationScene } from './scene.ts';

/** After the last letter. */
const TYPING_MS = 150;

export function Filters({ scene }: { scene: EvaluationScene }): VNode {
  const { state, model, query, ask, call } = scene;
  const passes = state.evaluation?.passes ?? [];
  return (
    <div class="filters" role="search" aria-label={t('Which rows')}>
      <Search text={query.text} change={(text) => ask({ text })} />
      <label class="field">
        <span class="field-label">{t('Outcome')}</span>
        <select
          value={query.outcome}
          onChange={(event) => ask({ outcome: event.currentTarget.value as RowQuery['outcome'] })}
        >
          <option value="all">{t('all')}</option>
          {OUTCOMES.map((outcome) => (
            <option key={outcome} value={outcome}>
              {outcomeName(outcome)}
            </option>
          ))}
          {passes.length > 1 && <option value="differs">{t('differs between passes')}</option>}
        </select>
      </label>
      {state.evaluation?.tests !== undefined && (
        <label class="field">
          <span class="field-label">{t('Tests')}</span>
          <select
            value={query.tests ?? ''}
            onChange={(event) => {
              const { value } = event.currentTarget;
              ask({ tests: TEST_FILTERS.find((filter) => filter === value) } as Partial<RowQuery>);
            }}
          >
            <option value="">{t('all')}</option>
            {TEST_FILTERS.map((filter) => (
              <option key={filter} value={filter}>
                {testFilterName(filter)}
              </option>
            ))}
          </select>
        </label>
      )}
      {state.sizes.length > 1 && (
        <label class="field">
          <span class="field-label">{t('Map size')}</span>
          <select
            value={query.size ?? ''}
            onChange={(event) => {
              const size = Number(event.currentTarget.value);
              ask({ size: size === 0 ? undefined : size } as Partial<RowQuery>);
            }}
          >
            <option value="">{t('all')}</option>
            {state.sizes.map((size) => (
              <option key={size} value={size}>{`${size} × ${size}`}</option>
            ))}
          </select>
        </label>
      )}
      {passes.length > 1 && (
        <label class="field">
          <span class="field-label">{t('Answers with latents')}</span>
          <select
            value={query.fed}
            onChange={(event) => ask({ fed: event.currentTarget.value as RowQuery['fed'] })}
          >
            {passes.map(({ fed }) => (
              <option key={fed} value={fed}>
                {fedName(fed)}
              </option>
            ))}
          </select>
        </label>
      )}
      {passes.length > 1 && (
        <span class="dim">
          {t('Passes, from the left: {0}', passes.map(({ fed }) => fedName(fed)).join(', '))}
        </span>
      )}
      <span class="dim filters-count" role="status">
        {plural(model.count, '{0} row', '{0} rows')}
      </span>
      <button
        type="button"
        class="quiet link"
        title={t('The rows that are shown, as CSV')}
        onClick={() => call((host) => host.exportRows(model.query))}
      >
        {t('Save rows as CSV')}
      </button>
    </div>
  );
}

function Search({ text, change }: { text: string; change: (text: string) => void }): VNode {
  const [typed, setTyped] = useState(text);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <input
      class="search"
      type="search"
      aria-label={t('Search in questions and answers')}
      placeholder={t('Search')}
      value={typed}
      onInput={(event) => {
        const { value } = event.currentTarget;
        setTyped(value);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => change(value), TYPING_MS);
      }}
    />
  );
}
