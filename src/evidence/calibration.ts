/**
 * What the tests said of two models whose latents are known: in one they carry the answer by construction, in the other
 * nothing that is written can see them. Computed by scripts/calibrate.ts; a test that does not tell them apart is no test
 * of latents.
 */

import type { InterventionKind } from '../analysis/intervention.ts';
import type { PictureChange } from '../analysis/pictureChange.ts';
import { t } from '../base/l10n.ts';
import { CALIBRATED } from './calibrated.ts';
import { MOVED } from './causality.ts';
import { number } from './format.ts';

/** Mean effect over the maps, in nats: KL per word, or of faithfulness the change of the answer's log-probability. */
export interface CalibratedTest {
  carrying: number;
  bypassed: number;
}

export interface Calibration {
  date: string;
  /** Maps of the examples. */
  maps: number;
  /** Of the analyses that were run. */
  versions: { causality: number; dependence: number; faithfulness: number };
  tests: Record<string, CalibratedTest>;
}

export const CALIBRATION: Calibration = CALIBRATED;

/** An effect below it is rounding: in nats. */
const STILL = 1e-6;

export type TestName = InterventionKind | PictureChange | 'faithfulness';

/** Whether a test moves what must move and leaves what must stay. */
export function tellsApart(test: TestName): boolean {
  const found = CALIBRATION.tests[test];
  return found !== undefined && found.carrying >= MOVED && found.bypassed < STILL;
}

/** "On the controls: 0.42 nats where latents carry the answer, 0 where they cannot reach it" */
export function controlsText(test: TestName): string {
  const found = CALIBRATION.tests[test];
  if (found === undefined) return t('not calibrated');
  const { carrying, bypassed } = found;
  const still = bypassed < STILL ? '0' : number(bypassed);
  const figures = t(
    '{0} nats where latents carry the answer, {1} where they cannot reach it',
    number(carrying),
    still,
  );
  return tellsApart(test) ? figures : t('{0}: it does not test latents alone', figures);
}

/** When and on what. */
export function calibrationText(): string {
  return t(
    'Controls: computed {0} with the two bundled control models over {1} maps.',
    CALIBRATION.date,
    CALIBRATION.maps,
  );
}
