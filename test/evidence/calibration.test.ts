/** What the controls said of each test is of today's tests, and is right in both directions. */

import { expect, it } from 'vitest';
import { INTERVENTION_KINDS } from '../../src/analysis/intervention.ts';
import { PICTURE_CHANGES } from '../../src/analysis/pictureChange.ts';
import { ANALYSES, parametersOf } from '../../src/analysis/table.ts';
import { CALIBRATION, controlsText, tellsApart } from '../../src/evidence/calibration.ts';

it('was computed with the versions of today; `npx tsx scripts/calibrate.ts` computes it again', () => {
  const { causality, dependence, faithfulness } = ANALYSES;
  expect(CALIBRATION.versions).toEqual({
    causality: causality.version,
    dependence: dependence.version,
    faithfulness: faithfulness.version,
  });
});

it('knows every test but a replaced picture, and tells the controls apart by all that are tried unasked', () => {
  const replaced = 'replaced';
  const tests = [...INTERVENTION_KINDS, ...PICTURE_CHANGES.filter((change) => change !== replaced)];
  for (const test of tests) expect([test, CALIBRATION.tests[test] !== undefined]).toEqual([test, true]);
  const { variants } = parametersOf('causality', {});
  const { changes } = parametersOf('dependence', {});
  for (const test of [...variants, 'swap', ...changes, 'faithfulness'] as const)
    expect([test, tellsApart(test)]).toEqual([test, true]);
});

it('finds that taking blocks away is no test of latents, which is said and not offered unasked', () => {
  expect(tellsApart('none')).toBe(false);
  expect(controlsText('none')).toContain('does not test latents alone');
  expect(parametersOf('causality', {}).variants).not.toContain('none');
});
