/**
 * The table of analyses. A row here is all that an analysis says of itself; what computes it and what shows it are
 * tables over the same names (./runners.ts, ../engine/analyse.ts, the panel's tabs), so that a new row does not compile
 * before each of them knows it.
 */

import type * as z from 'zod';
import { faultIn } from '../base/faults.ts';
import { UserError } from '../base/errors.ts';
import type { AnalysisDefinition } from './definition.ts';
import { attention } from './attention.ts';
import { causality } from './causality.ts';
import { decomposition } from './decomposition.ts';
import { dependence } from './dependence.ts';
import { divergence } from './divergence.ts';
import { faithfulness } from './faithfulness.ts';
import { lens } from './lens.ts';
import { pca } from './pca.ts';
import { relevance } from './relevance.ts';
import { similarity } from './similarity.ts';

export const ANALYSES = {
  attention,
  causality,
  decomposition,
  dependence,
  divergence,
  faithfulness,
  lens,
  pca,
  relevance,
  similarity,
} as const satisfies Record<string, AnalysisDefinition>;

export type AnalysisName = keyof typeof ANALYSES;

/** Names of those that need the model, or the trace alone. */
export type AnalysisThatNeeds<Need extends AnalysisDefinition['needs']> = {
  [Name in AnalysisName]: (typeof ANALYSES)[Name]['needs'] extends Need ? Name : never;
}[AnalysisName];

/** Names of those that a run's panel shows; the others stand on a page of their own. */
export type PanelAnalysis = {
  [Name in AnalysisName]: (typeof ANALYSES)[Name]['tab'] extends 'comparison' ? never : Name;
}[AnalysisName];

/** Parameters with their defaults filled in. */
export type AnalysisParameters<Name extends AnalysisName> = z.output<(typeof ANALYSES)[Name]['parameters']>;

export type AnalysisResult<Name extends AnalysisName> = z.output<(typeof ANALYSES)[Name]['result']>;

export const ANALYSIS_NAMES = Object.keys(ANALYSES) as AnalysisName[];

export function isAnalysisName(name: string): name is AnalysisName {
  return Object.hasOwn(ANALYSES, name);
}

export function needsModel(name: AnalysisName): name is AnalysisThatNeeds<'model'> {
  return ANALYSES[name].needs === 'model';
}

/** Parameters with their defaults. @throws UserError naming the first that cannot be used */
export function parametersOf<Name extends AnalysisName>(
  name: Name,
  given: Record<string, unknown>,
): AnalysisParameters<Name> {
  const { parameters } = ANALYSES[name];
  const parsed = parameters.safeParse(given);
  if (parsed.success) return parsed.data as AnalysisParameters<Name>;
  const { path, expected, found, issue } = faultIn(parsed.error, given);
  const names = Object.keys(parameters.shape).join(', ');
  throw new UserError({
    problem: `The analysis ${name} cannot be run with these parameters`,
    expected: issue.code === 'unrecognized_keys' ? `some of ${names}` : `${path} to be ${expected}`,
    found,
  });
}
