/** Attention of the answer's tokens with all heads: how much of each head lies on the pictures, layer by layer. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { t } from '../../../base/l10n.ts';
import type { AnalysisResult } from '../../../analysis/table.ts';
import { headsOnPictures } from '../../../evidence/heads.ts';
import { tokenLabel } from '../../logic/format.ts';
import type { Scene } from '../scene.ts';

export function AttentionView({
  scene: { trace, view, dispatch },
  result: { rows },
}: {
  scene: Scene;
  result: AnalysisResult<'attention'>;
}): VNode {
  const row = rows.find(({ token }) => token === view.headsToken) ?? rows[0];
  const heads = useMemo(() => row && headsOnPictures(trace, row.attention), [trace, row]);
  if (row === undefined || heads === undefined) return <p class="dim">{t('Nothing was computed yet.')}</p>;
  return (
    <div class="heads">
      <label>
        {t('Token')}{' '}
        <select
          value={row.token}
          onChange={(event) =>
            dispatch({ type: 'set', values: { headsToken: Number(event.currentTarget.value) } })
          }
        >
          {rows.map(({ token }) => (
            <option key={token} value={token}>
              {token + 1}: {tokenLabel(trace.tokens[token]!)}
            </option>
          ))}
        </select>
      </label>
      <table class="table heads-table">
        <caption>{t('Share of each head’s attention that lies on the pictures')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('Layer')}</th>
            {heads[0]!.map((_, head) => (
              <th key={head} scope="col" class="numeric">
                {t('head {0}', head + 1)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {heads.map((masses, layer) => (
            <tr key={layer}>
              <th scope="row">{layer + 1}</th>
              {masses.map((mass, head) => (
                <td key={head} class="numeric" style={{ '--mass': `${Math.round(mass * 100)}%` }}>
                  {mass.toFixed(2)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
