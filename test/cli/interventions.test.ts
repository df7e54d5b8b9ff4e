/** What replacing latents did, as it is printed. */

import { expect, it } from 'vitest';
import { reportInterventions } from '../../src/cli/interventions.ts';
import { Terminal } from '../../src/cli/terminal.ts';
import type { SampleResult } from '../../src/evaluation/results.ts';

it('has no sentence about a pass that was not begun', () => {
  let out = '';
  const terminal = new Terminal({
    out: { write: (text) => (out += text) },
    err: { write: () => 0 },
    env: {},
  });
  const result: SampleResult = {
    line: 1,
    text: 'up',
    answer: 'up',
    verdict: '',
    success: true,
    blocks: 1,
    latents: 8,
    tokens: 5,
    milliseconds: 1,
  };
  reportInterventions(terminal, [
    { fed: 'own', results: [result] },
    { fed: 'zero', results: [result] },
    { fed: 'swap', results: [] },
  ]);
  expect(out).toContain('Zeroing the latents changed 0 of 1 answers.');
  expect(out).toMatch(/swap +no samples/);
  expect(out).not.toContain('of 0 answers');
});
