/** The tests of a sample's run, asked of the model while the run's arrays are at hand. */

import { CancelledError, UserError } from '../base/errors.ts';
import type { AnalysisName, AnalysisResult } from '../analysis/table.ts';
import { analyseRequest } from '../client/analyseRequest.ts';
import type { EngineClient } from '../client/engineClient.ts';
import type { SampleTests } from '../evaluation/results.ts';
import { klWithoutLatents, mapFaithfulness, TESTS, TESTS_VERSION } from '../evaluation/tests.ts';
import type { OpenTrace } from '../traceFile/openTrace.ts';

type Client = Pick<EngineClient, 'analyse'>;

/**
 * A run that cannot be tested says why; one without latents has no figures.
 * @throws CancelledError, and what ends the whole evaluation
 */
export async function testsOf(client: Client, run: OpenTrace, signal: AbortSignal): Promise<SampleTests> {
  const tests: SampleTests = { version: TESTS_VERSION };
  if (run.trace.latents.length === 0) return tests;
  try {
    const causality = await analysed(client, run, 'causality', TESTS.causality, signal);
    const faithfulness = await analysed(client, run, 'faithfulness', TESTS.faithfulness, signal);
    return { ...tests, ...klWithoutLatents(causality), ...mapFaithfulness(faithfulness) };
  } catch (error) {
    if (error instanceof CancelledError || !(error instanceof UserError)) throw error;
    return { ...tests, problem: error.message };
  }
}

async function analysed<Name extends AnalysisName>(
  client: Client,
  { trace, container }: OpenTrace,
  name: Name,
  parameters: Record<string, unknown>,
  signal: AbortSignal,
): Promise<AnalysisResult<Name>> {
  const request = await analyseRequest(trace, container, { name, parameters });
  const { status, result } = await client.analyse(request, undefined, signal);
  if (status === 'cancelled' || result === undefined) throw new CancelledError('The tests');
  return result;
}
