/** Whether a run's answer is right, where the samples file beside its picture knows. Knows nothing of VS Code. */

import { judge, type Truth } from '../../dataset/scoring.ts';
import type { Trace, TraceVerdict } from '../../trace/schema.ts';
import { answerText } from '../../trace/steps.ts';

/** What a samples file says about a picture. */
export interface KnownAnswer {
  /** Name of the file. */
  source: string;
  /** Without `<image>`. */
  question: string;
  /** How many pictures it is about. */
  pictures: number;
  truth?: Truth;
}

/** Undefined for a partial answer, and where another question was asked, or about other pictures, than the sample's. */
export function verdictOf(trace: Trace, sample: KnownAnswer): TraceVerdict | undefined {
  const { source, question, pictures, truth } = sample;
  const inputs = trace.pictures.filter(({ role }) => role === 'input').length;
  const isTheSame = words(trace.question) === words(question) && inputs === pictures;
  if (truth === undefined || trace.status !== 'complete' || !isTheSame) return undefined;
  const { success } = judge(truth, answerText(trace));
  return { right: success, ...(truth.answer !== undefined && { expected: truth.answer }), source };
}

function words(question: string): string {
  return question.replaceAll('<image>', ' ').trim().replaceAll(/\s+/g, ' ');
}
