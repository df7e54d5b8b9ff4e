/** What a test says of the two control models, beside what it says here. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';
import { calibrationText, controlsText, type TestName } from '../../../evidence/calibration.ts';

interface ControlsProps {
  /** What is said about it, and its name for the reader. */
  tests: readonly { test: TestName; name: string }[];
}

export function Controls({ tests }: ControlsProps): VNode {
  return (
    <p class="doubt-controls dim">
      {calibrationText()}{' '}
      {tests.map(({ test, name }) => (
        <span key={test}>{t('{0}: {1}.', name, controlsText(test))} </span>
      ))}
    </p>
  );
}
