/** What a test comes down to, with the rule that it was reached by. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';

/** A figure with its range breaks before the range, not within it. */
export function together(text: string): string {
  return text.replace(/ \(.*\)$/s, (range) => ` ${range.trimStart().replaceAll(' ', '\u00a0')}`);
}

export function Verdict({ sentence, rule }: { sentence: string; rule: string }): VNode {
  return (
    <p class="doubt-verdict">
      <b>{sentence}</b> <span class="dim">{t('Rule: {0}', rule)}</span>
    </p>
  );
}
