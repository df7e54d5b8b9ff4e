/** One analysis of a run, by the model that made it. What each computes stands in ./analyses. */

import { CancelledError, UserError } from '../base/errors.ts';
import { runOnTrace } from '../analysis/runners.ts';
import {
  isAnalysisName,
  needsModel,
  parametersOf,
  type AnalysisName,
  type AnalysisParameters,
  type AnalysisResult,
  type AnalysisThatNeeds,
} from '../analysis/table.ts';
import type { AnalyseRequest, AnalysisOutcome } from '../protocol/analyse.ts';
import { runAttention } from './analyses/attention.ts';
import { runCausality } from './analyses/causality.ts';
import { runDecomposition } from './analyses/decomposition.ts';
import { runDependence } from './analyses/dependence.ts';
import { runDivergence } from './analyses/divergence.ts';
import { runFaithfulness } from './analyses/faithfulness.ts';
import { runLens } from './analyses/lens.ts';
import {
  prepareRun,
  requireOwnLatents,
  type AnalyseContext,
  type ModelRun,
  type RunnerContext,
} from './analyses/modelRun.ts';
import { runPca } from './analyses/pca.ts';
import { runRelevance } from './analyses/relevance.ts';

interface ModelRunner<Name extends AnalysisName> {
  /** Whether it looks at helper pictures that the model did not see. */
  helpers: (parameters: AnalysisParameters<Name>) => boolean;
  /** Whether it tests the model's own latents, so that a run whose latents were replaced says nothing. */
  ownLatents?: boolean;
  /** Whether the model reads the other run too, and not its latents alone. */
  readsOther?: boolean;
  compute: (
    run: ModelRun,
    parameters: AnalysisParameters<Name>,
    context: RunnerContext<Name>,
    /** The run to compare with, where one was given and is read. */
    other: ModelRun | undefined,
  ) => Promise<AnalysisResult<Name>>;
}

const no = (): boolean => false;

const MODEL_RUNNERS: { [Name in AnalysisThatNeeds<'model'>]: ModelRunner<Name> } = {
  attention: { helpers: no, compute: runAttention },
  causality: {
    helpers: ({ variants }) => variants.includes('oracle'),
    ownLatents: true,
    compute: runCausality,
  },
  decomposition: { helpers: no, ownLatents: true, compute: runDecomposition },
  dependence: { helpers: no, ownLatents: true, compute: runDependence },
  divergence: {
    helpers: no,
    readsOther: true,
    compute: (run, _, context, other) => runDivergence(run, other, context),
  },
  faithfulness: { helpers: no, ownLatents: true, compute: runFaithfulness },
  lens: { helpers: no, compute: runLens },
  pca: { helpers: () => true, compute: runPca },
  relevance: { helpers: no, compute: runRelevance },
};

/**
 * Runs an analysis; after a cancel, what had been found is the outcome.
 * @throws UserError for another model, other pictures, or a parameter that cannot be used
 */
export async function analyse(context: AnalyseContext, request: AnalyseRequest): Promise<AnalysisOutcome> {
  const { name } = request;
  if (!isAnalysisName(name)) throw new UserError({ problem: 'There is no such analysis', found: name });
  let last: AnalysisResult<AnalysisName> | undefined;
  const found = (result: AnalysisResult<AnalysisName>): void => {
    last = result;
    context.found(result);
  };
  try {
    return { status: 'complete', result: await compute(name, { ...context, found }, request) };
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    return { status: 'cancelled', ...(last !== undefined && { result: last }) };
  }
}

async function compute(
  name: AnalysisName,
  context: AnalyseContext,
  request: AnalyseRequest,
): Promise<AnalysisResult<AnalysisName>> {
  if (needsModel(name)) return computeWithModel(name, context, request);
  return runOnTrace(name, [request.run, request.other], parametersOf(name, request.parameters));
}

async function computeWithModel<Name extends AnalysisThatNeeds<'model'>>(
  name: Name,
  context: AnalyseContext,
  request: AnalyseRequest,
): Promise<AnalysisResult<Name>> {
  const parameters = parametersOf(name, request.parameters);
  const { helpers, ownLatents = false, readsOther = false, compute: runner } = MODEL_RUNNERS[name];
  if (ownLatents) requireOwnLatents(request);
  const run = await prepareRun(context, request, helpers(parameters));
  const { other, otherInput } = request;
  const second =
    readsOther &&
    other &&
    otherInput &&
    (await prepareRun(context, { ...request, ...otherInput, run: other }, false));
  return runner(run, parameters, context, second || undefined);
}
