/** What goes wrong in the host, told where the reader looks. */

import type { VNode } from 'preact';
import { t } from '../../base/l10n.ts';

export function Notice({ text, dismiss }: { text: string; dismiss: () => void }): VNode {
  return (
    <div class="notice" role="alert">
      <span>{text}</span>
      <button type="button" class="quiet" aria-label={t('Dismiss')} onClick={dismiss}>
        ✕
      </button>
    </div>
  );
}
