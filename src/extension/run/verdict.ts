/** Whether a run's answer is right, where the samples file beside its picture knows. Knows nothing of VS Code. */

import * as z from 'zod';
import { isSameQuestion } from '../../dataset/samples.ts';
import { GOAL, HOLE, SAFE, START } from '../../dataset/scoring.ts';
import { verdictBy } from '../../evaluation/verdict.ts';
import type { Trace, TraceVerdict } from '../../trace/schema.ts';

/** What a samples file says about a picture; kept with a run. */
export const knownAnswer = z.object({
  /** Name of the file. */
  source: z.string(),
  /** Without `<image>`. */
  question: z.string(),
  /** How many pictures it is about. */
  pictures: z.int(),
  truth: z
    .object({
      map: z.array(z.array(z.literal([HOLE, SAFE, START, GOAL]))).optional(),
      answer: z.string().optional(),
    })
    .optional(),
});

export type KnownAnswer = z.output<typeof knownAnswer>;

/** Undefined for a partial answer, and where another question was asked, or about other pictures, than the sample's. */
export function verdictOf(trace: Trace, sample: KnownAnswer): TraceVerdict | undefined {
  const { source, question, pictures, truth } = sample;
  const inputs = trace.pictures.filter(({ role }) => role === 'input').length;
  const isTheSame = isSameQuestion(trace.question, question) && inputs === pictures;
  return truth !== undefined && isTheSame ? verdictBy(trace, truth, source) : undefined;
}
