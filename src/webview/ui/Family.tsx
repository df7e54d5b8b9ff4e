/** The tree of branches that the run is of, above its steps: a line each, indented below what it branched from. */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';
import type { FamilyMember } from '../../protocol/panel.ts';
import type { Scene } from './scene.ts';

interface FamilyProps {
  family: readonly FamilyMember[];
  /** Id of the run that is shown. */
  shown: string;
  call: Scene['call'];
}

export function Family({ family, shown, call }: FamilyProps): VNode {
  return (
    <nav class="family" aria-label={t('Branches')}>
      <ul>
        {family.map(({ run, label, depth, answer }) => (
          <li key={run} style={{ '--depth': String(depth) }}>
            <button
              type="button"
              class="quiet link"
              aria-current={run === shown}
              onClick={() => call((host) => host.showRun(run))}
            >
              {label}
            </button>
            {answer !== undefined && <span class="dim"> → {answer}</span>}
          </li>
        ))}
      </ul>
    </nav>
  );
}
