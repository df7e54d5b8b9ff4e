/** Results with other settings, as the options that show them. */

import { expect, it } from 'vitest';
import { ANALYSES } from '../../src/analysis/table.ts';
import { otherSettings } from '../../src/cli/keptSettings.ts';
import type { KeptAnalysis, Trace } from '../../src/trace/schema.ts';
import { smallTrace } from '../fixtures/smallTrace.ts';

type Kept = Partial<KeptAnalysis>;

function keeping(...analyses: Kept[]): Trace {
  const { version } = ANALYSES.dependence;
  const usual = { method: 'dependence', version, createdAt: '', status: 'complete' as const, result: {} };
  return { ...smallTrace(), analyses: analyses.map((each) => ({ parameters: {}, ...usual, ...each })) };
}

it('names what is not as by default', () => {
  const key = { method: 'dependence', parameters: {} } as const;
  const told = (kept: Kept): string[] => otherSettings(keeping(kept), key);
  expect(told({ parameters: { region: [0, 1, 2, 3] } })).toEqual(['--region 1,2,3,4']);
  expect(told({ parameters: { changes: ['masked'] } })).toEqual([`--set 'changes=["masked"]'`]);
  expect(told({ parameters: { truth: { answer: "it's" } } })).toEqual([`--truth 'it'\\''s'`]);
  expect(told({ parameters: { truth: { map: [['S']], answer: 'U' } } })).toEqual(['--samples FILE']);
  expect(told({ parameters: { region: [] }, other: 'abc' })).toEqual(['--other with the trace of run abc']);
  expect(told({})).toEqual(['none']);
});

it('leaves out parts, other methods and other versions', () => {
  const kept: Kept[] = [{ status: 'partial' }, { method: 'lens' }, { version: 99 }];
  expect(otherSettings(keeping(...kept), { method: 'dependence', parameters: {} })).toEqual([]);
});
