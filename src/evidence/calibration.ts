/**
 * What the tests said of models whose latents are known. Two controls: in one latents carry the answer by construction, in
 * the other nothing that is written can see them. And a natural positive, the model of worlds, whose latents are needed though
 * nothing was masked (docs/latents.md). Computed by `ilvr calibrate`; a test that does not tell the controls apart is no
 * test of latents.
 */

import type { InterventionKind } from '../analysis/intervention.ts';
import type { PictureChange } from '../analysis/pictureChange.ts';
import { t } from '../base/l10n.ts';
import { CALIBRATED } from './calibrated.ts';
import { MOVED } from './causality.ts';
import { number } from './format.ts';

export const KNOWN_MODELS = ['carrying', 'bypassed', 'worlds'] as const;
export type KnownModel = (typeof KNOWN_MODELS)[number];

/** Mean effect over the pictures, in nats: KL per word, or of faithfulness the change of the answer's log-probability. */
export type CalibratedTest = Record<KnownModel, number>;

export interface Calibration {
  date: string;
  /** Of the program. */
  version: string;
  /** Maps that were drawn for each control, and worlds for the third. */
  maps: number;
  /** Of the analyses that were run. */
  versions: { causality: number; dependence: number; faithfulness: number };
  tests: Record<string, CalibratedTest>;
}

/** As this version was shipped with it. */
export const SHIPPED: Calibration = CALIBRATED;

/** Of the analyses, as the shipped figures were computed with; a test holds that they are those of today. */
export const TEST_VERSIONS = SHIPPED.versions;

let current = SHIPPED;

/** The one that is shown. */
export function calibration(): Calibration {
  return current;
}

/** Shows another one, which was computed here; undefined: the shipped one. Of other versions of the tests none is taken. */
export function setCalibration(found: Calibration | undefined): void {
  const isOfToday = JSON.stringify(found?.versions) === JSON.stringify(TEST_VERSIONS);
  current = found !== undefined && isOfToday ? found : SHIPPED;
}

/** An effect below it is rounding: in nats. */
const STILL = 1e-6;

export type TestName = InterventionKind | PictureChange | 'faithfulness';

/** Whether a test moves what must move and leaves what must stay. */
export function tellsApart(test: TestName, { tests } = current): boolean {
  const found = tests[test];
  return found !== undefined && found.carrying >= MOVED && found.bypassed < STILL;
}

/**
 * "0.42 nats where latents carry the answer, 0 where they cannot reach it, 1.3 in worlds, …". Of faithfulness it is no score:
 * that is measured in cosines, and the controls are told apart by what becomes of the answer.
 */
export function controlsText(test: TestName): string {
  const found = current.tests[test];
  if (found === undefined) return t('not calibrated');
  const [carrying, bypassed, worlds] = KNOWN_MODELS.map((model) => shown(found[model])) as [
    string,
    string,
    string,
  ];
  const figures =
    test === 'faithfulness'
      ? t(
          'with the whole picture away, log p of the answer changed by {0} nats where latents carry it, {1} where they cannot reach it, {2} in worlds; this is not the score',
          carrying,
          bypassed,
          worlds,
        )
      : t(
          '{0} nats where latents carry the answer, {1} where they cannot reach it, {2} in worlds, which need theirs',
          carrying,
          bypassed,
          worlds,
        );
  return tellsApart(test) ? figures : t('{0}: it does not test latents alone', figures);
}

function shown(nats: number): string {
  return nats < STILL ? '0' : number(nats);
}

/** When, with what and on what. */
export function calibrationText(): string {
  return t(
    'Controls: computed {0} with version {1}, over {2} pictures each of the two bundled control models and of worlds.',
    current.date,
    current.version,
    current.maps,
  );
}
