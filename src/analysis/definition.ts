/** What an analysis is: a row of the table in ./table.ts. */

import * as z from 'zod';
import type { Message } from '../base/l10n.ts';
import type { Claims } from './check.ts';
import type { NumericArray } from '../tensor/array.ts';

/** Where a reader finds the result: a tab of a run's panel, or the page that compares two runs. */
export type AnalysisTab =
  | 'attention'
  | 'lens'
  | 'space'
  | 'relevance'
  | 'similarity'
  | 'causality'
  | 'decomposition'
  | 'dependence'
  | 'faithfulness'
  | 'comparison';

/** What a parameter is called; its kind and bounds are its schema's. */
export interface OfferedParameter {
  label: Message;
  /** Of one or several of some words: what these are called, by word. */
  options?: Record<string, Message>;
}

export interface AnalysisDefinition<
  Parameters extends z.ZodType = z.ZodType,
  Result extends z.ZodType = z.ZodType,
> {
  /** Raised when the same parameters would give another result, or the result another form. */
  version: number;
  /** trace: what a run recorded is enough. model: the model that made the run must be loaded. */
  needs: 'trace' | 'model';
  /** Whether a second run may, or must, be given to compare with. */
  secondRun: boolean | 'required';
  /** Each parameter has a default, so that {} is valid. */
  parameters: Parameters;
  /** Parameters that a reader can set where the result is shown; the others have their defaults there. See form.ts. */
  offered: { [Name in keyof z.output<Parameters>]?: OfferedParameter };
  /** Parts that are computed later are optional or empty, so that a partial result is valid too. */
  result: Result;
  /** Claims on what its schema cannot say: sizes, indices and numbers that fit the run. */
  check(result: z.output<Result>, claims: Claims): void;
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
  Parameters extends z.ZodType<Record<string, unknown>, Record<string, unknown>>,
  Result extends z.ZodType,
  const Definition extends AnalysisDefinition<Parameters, Result>,
>(definition: Definition & AnalysisDefinition<Parameters, Result>): Definition {
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
