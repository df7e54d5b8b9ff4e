/** What a test comes down to, with the rule that it was reached by. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';

export function Verdict({ sentence, rule }: { sentence: string; rule: string }): VNode {
  return (
    <p class="doubt-verdict">
      <b>{sentence}</b> <span class="dim">{t('Rule: {0}', rule)}</span>
    </p>
  );
}
