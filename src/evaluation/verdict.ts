/** Whether a run's answer is right, as a trace keeps it. */

import { judge, type Truth } from '../dataset/scoring.ts';
import type { Trace, TraceVerdict } from '../trace/schema.ts';
import { answerText } from '../trace/steps.ts';

/** Undefined for a partial answer. @param source name of the file that knows the truth */
export function verdictBy(trace: Trace, truth: Truth, source: string): TraceVerdict | undefined {
  if (trace.status !== 'complete') return undefined;
  const { success: right } = judge(truth, answerText(trace));
  return { right, ...(truth.answer !== undefined && { expected: truth.answer }), source };
}
