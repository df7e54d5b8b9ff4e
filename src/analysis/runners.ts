/** What computes the analyses that need no model: anywhere, at once. Those that do stand in ../engine. */

import type { AnalysedRun } from './run.ts';
import { computeSimilarity } from './similarity.ts';
import type { AnalysisParameters, AnalysisResult, AnalysisThatNeeds } from './table.ts';

/** @param runs the run and, where the analysis takes one, another to compare with */
type TraceRunner<Name extends AnalysisThatNeeds<'trace'>> = (
  runs: readonly [AnalysedRun, (AnalysedRun | undefined)?],
  parameters: AnalysisParameters<Name>,
) => AnalysisResult<Name>;

/** Exported for the check that it is complete. */
export const TRACE_RUNNERS: { [Name in AnalysisThatNeeds<'trace'>]: TraceRunner<Name> } = {
  similarity: computeSimilarity,
};

/** Runs one of them. */
export function runOnTrace<Name extends AnalysisThatNeeds<'trace'>>(
  name: Name,
  runs: readonly [AnalysedRun, (AnalysedRun | undefined)?],
  parameters: AnalysisParameters<Name>,
): AnalysisResult<Name> {
  return TRACE_RUNNERS[name](runs, parameters);
}
