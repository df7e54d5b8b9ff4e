/** Which layer and which head. */

import { t } from '../base/l10n.ts';

/** One layer or head, or how they are joined. Indices are 0-based. */
export type Choice = number | 'mean' | 'max';

/** "layer 5 of 8", "mean of 8 layers": the same words in captions and controls. */
export function choiceLabel(noun: 'layer' | 'head', choice: Choice, count: number): string {
  if (typeof choice === 'number') {
    return t(noun === 'layer' ? 'layer {0} of {1}' : 'head {0} of {1}', choice + 1, count);
  }
  if (choice === 'mean') return t(noun === 'layer' ? 'mean of {0} layers' : 'mean of {0} heads', count);
  return t(noun === 'layer' ? 'max of {0} layers' : 'max of {0} heads', count);
}
