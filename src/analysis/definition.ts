/** What an analysis is: a row of the table in ./table.ts. */

import * as z from 'zod';
import type { Message } from '../base/l10n.ts';
import type { NumericArray } from '../tensor/array.ts';

/** Where a reader finds the result: a tab of a run's panel, or the page that compares two runs. */
export type AnalysisTab = 'attention' | 'lens' | 'space' | 'relevance' | 'similarity' | 'comparison';

export interface AnalysisDefinition<
  Parameters extends z.ZodType = z.ZodType,
  Result extends z.ZodType = z.ZodType,
> {
  /** Raised when the same parameters would give another result, or the result another form. */
  version: number;
  /** trace: what a run recorded is enough. model: the model that made the run must be loaded. */
  needs: 'trace' | 'model';
  /** Whether a second run may be given to compare with. */
  secondRun: boolean;
  /** Each parameter has a default, so that {} is valid. */
  parameters: Parameters;
  /** Parts that are computed later are optional or empty, so that a partial result is valid too. */
  result: Result;
  tab: AnalysisTab;
  title: Message;
  /** How it is computed, in a sentence that stands under a figure. */
  method: Message;
  /** Where the measure comes from. */
  source: Message;
  /** What it cannot show. */
  limits: Message;
}

/** Checks a row, and keeps its own types. */
export function analysis<
  const Definition extends AnalysisDefinition<z.ZodType<unknown, Record<string, unknown>>>,
>(definition: Definition): Definition {
  return definition;
}

/** An array of so many axes, as results hold them in memory; a stored trace keeps it as a reference. */
export function numbers(rank: number): z.ZodType<NumericArray> {
  return z.custom<NumericArray>((value) => isNumericArray(value) && value.shape.length === rank);
}

/** Tells arrays from the other parts of a result. */
export function isNumericArray(value: unknown): value is NumericArray {
  if (typeof value !== 'object' || value === null) return false;
  const { shape, data } = value as Partial<NumericArray>;
  return Array.isArray(shape) && data instanceof Float32Array;
}
