/** Where the time went, as the engine measured it. */

import type { VNode } from 'preact';
import type { Trace } from '../../trace/schema.ts';
import { TOTAL_TIMING } from '../../trace/format.ts';
import { duration, totalTime } from '../logic/format.ts';

export function TimingTab({ trace }: { trace: Trace }): VNode {
  const total = totalTime(trace.timings);
  if (total === undefined) return <p class="dim">This trace holds no timings.</p>;
  const parts = trace.timings.filter(({ name }) => name !== TOTAL_TIMING);
  return (
    <table class="table">
      <thead>
        <tr>
          <th scope="col">Part</th>
          <th scope="col" class="numeric">
            Time
          </th>
          <th scope="col" class="numeric">
            Share
          </th>
        </tr>
      </thead>
      <tbody>
        {parts.map(({ name, milliseconds }, i) => (
          <tr key={i}>
            <td>{name}</td>
            <td class="numeric">{duration(milliseconds)}</td>
            <td class="numeric">{total > 0 ? `${((milliseconds / total) * 100).toFixed(1)} %` : ''}</td>
          </tr>
        ))}
        <tr>
          <th scope="row">Total</th>
          <td class="numeric">{duration(total)}</td>
          <td />
        </tr>
      </tbody>
    </table>
  );
}
