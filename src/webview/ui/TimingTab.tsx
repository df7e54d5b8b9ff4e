/** Where the time went, as the engine measured it. */

import type { VNode } from 'preact';
import type { Trace } from '../../trace/schema.ts';
import { duration } from '../logic/format.ts';

export function TimingTab({ trace }: { trace: Trace }): VNode {
  const total = trace.timings.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  if (trace.timings.length === 0) return <p class="dim">This trace holds no timings.</p>;
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
        {trace.timings.map(({ name, milliseconds }, i) => (
          <tr key={i}>
            <td>{name}</td>
            <td class="numeric">{duration(milliseconds)}</td>
            <td class="numeric">{total > 0 ? `${((milliseconds / total) * 100).toFixed(1)} %` : ''}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
