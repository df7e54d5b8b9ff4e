/** Where the time went, as the engine measured it. */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import { timingName, TOTAL_TIMING } from '../../trace/format.ts';
import type { Trace } from '../../trace/schema.ts';
import { duration, totalTime } from '../logic/format.ts';
import { timingRates } from '../../evidence/rates.ts';

export function TimingTab({ trace }: { trace: Trace }): VNode {
  const total = totalTime(trace.timings);
  const rates = timingRates(trace);
  if (total === undefined) return <p class="dim">{t('This trace holds no timings.')}</p>;
  const parts = trace.timings.filter(({ name }) => name !== TOTAL_TIMING);
  return (
    <div class="timing scrolls" tabIndex={0} role="region" aria-label={t('Timing')}>
      <table class="table">
        <caption>{t('Parts of the run')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('Part')}</th>
            <th scope="col" class="numeric">
              {t('Time')}
            </th>
            <th scope="col" class="numeric">
              {t('Share')}
            </th>
          </tr>
        </thead>
        <tbody>
          {parts.map(({ name, milliseconds }, i) => (
            <tr key={i}>
              <td>{timingName(name)}</td>
              <td class="numeric">{duration(milliseconds)}</td>
              <td class="numeric">{total > 0 ? `${((milliseconds / total) * 100).toFixed(1)} %` : ''}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">{t('Total')}</th>
            <td class="numeric">{duration(total)}</td>
            <td />
          </tr>
        </tbody>
      </table>
      <table class="table">
        <caption>{t('Lengths and rates')}</caption>
        <tbody>
          {rates.map(({ name, value }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="numeric">{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
