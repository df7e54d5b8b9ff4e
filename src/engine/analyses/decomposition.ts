/** Decomposition: the variants of the causal tests that take a block's parts away. */

import { DECOMPOSED } from '../../analysis/decomposition.ts';
import type { AnalysisParameters, AnalysisResult } from '../../analysis/table.ts';
import { runCausality } from './causality.ts';
import type { ModelRun, RunnerContext } from './modelRun.ts';

export async function runDecomposition(
  of: ModelRun,
  { block, truth }: AnalysisParameters<'decomposition'>,
  { found, progress, pause }: RunnerContext<'decomposition'>,
): Promise<AnalysisResult<'decomposition'>> {
  // None of them leaves anything to chance.
  const parameters = { variants: [...DECOMPOSED], block, latent: 0, repeats: 1, seed: 0, truth };
  return runCausality({ ...of, donor: undefined }, parameters, { found, progress, pause });
}
