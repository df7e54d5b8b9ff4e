/** What a test says of the models whose latents are known, beside what it says here. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';
import type { PanelAnalysis } from '../../../analysis/table.ts';
import { calibrationText, controlsText, type TestName } from '../../../evidence/calibration.ts';
import type { Scene } from '../scene.ts';

interface ControlsProps {
  scene: Scene;
  method: PanelAnalysis;
  /** What is said about it, and its name for the reader. */
  tests: readonly { test: TestName; name: string }[];
}

export function Controls({ scene: { analyses }, method, tests }: ControlsProps): VNode {
  return (
    <p class="doubt-controls dim">
      {calibrationText()}{' '}
      {tests.map(({ test, name }) => (
        <span key={test}>{t('{0}: {1}.', name, controlsText(test))} </span>
      ))}
      <button
        type="button"
        class="quiet link"
        title={t('Runs every test on the models whose latents are known, on this computer')}
        onClick={() => void analyses.calibrate(method)}
      >
        {t('Calibrate again')}
      </button>
    </p>
  );
}
