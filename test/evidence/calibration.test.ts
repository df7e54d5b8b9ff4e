/** What the controls said of each test is of today's tests, and is right in both directions. */

import { expect, it } from 'vitest';
import { INTERVENTION_KINDS } from '../../src/analysis/intervention.ts';
import { PICTURE_CHANGES } from '../../src/analysis/pictureChange.ts';
import { ANALYSES, parametersOf } from '../../src/analysis/table.ts';
import {
  calibration,
  controlsText,
  setCalibration,
  SHIPPED,
  tellsApart,
} from '../../src/evidence/calibration.ts';

it('was computed with the versions of today; `npx tsx scripts/calibrate.ts` computes it again', () => {
  const { causality, dependence, faithfulness } = ANALYSES;
  expect(SHIPPED.versions).toEqual({
    causality: causality.version,
    dependence: dependence.version,
    faithfulness: faithfulness.version,
  });
});

it('knows every test, and tells the controls apart by all that are tried unasked', () => {
  for (const test of [...INTERVENTION_KINDS, ...PICTURE_CHANGES])
    expect([test, SHIPPED.tests[test] !== undefined]).toEqual([test, true]);
  const { variants } = parametersOf('causality', {});
  const { changes } = parametersOf('dependence', {});
  for (const test of [...variants, 'swap', 'replaced', ...changes, 'faithfulness'] as const)
    expect([test, tellsApart(test)]).toEqual([test, true]);
});

it('finds the latents of worlds needed by every replacement, and free of colour', () => {
  for (const test of [...parametersOf('causality', {}).variants, 'swap'] as const)
    expect([test, SHIPPED.tests[test]!.worlds > 0.5]).toEqual([test, true]);
  expect(SHIPPED.tests['replaced']!.worlds).toBeGreaterThan(0.5);
  expect(SHIPPED.tests['grey']!.worlds).toBeLessThan(0.001);
  expect(controlsText('zero')).toMatch(/in worlds, which need theirs$/);
});

it('finds that taking blocks away is no test of latents, which is said and not offered unasked', () => {
  expect(tellsApart('none')).toBe(false);
  expect(controlsText('none')).toContain('does not test latents alone');
  expect(parametersOf('causality', {}).variants).not.toContain('none');
});

it('shows one that was computed here, if it is of the tests of today', () => {
  const tests = { ...SHIPPED.tests, zero: { carrying: 0.001, bypassed: 0, worlds: 1 } };
  setCalibration({ ...SHIPPED, date: '2030-01-01', tests });
  expect([calibration().date, tellsApart('zero'), tellsApart('noise')]).toEqual(['2030-01-01', false, true]);
  setCalibration({ ...SHIPPED, date: '2030-01-01', versions: { ...SHIPPED.versions, causality: 0 } });
  expect(calibration()).toBe(SHIPPED);
  setCalibration(undefined);
  expect(tellsApart('zero')).toBe(true);
});
