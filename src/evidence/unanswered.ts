/** A run that states no answer: what the tests then say of "the answer" is of words that it had not ended. */

import { t } from '../base/l10n.ts';
import { statedAnswer } from '../trace/answer.ts';
import type { Trace } from '../trace/schema.ts';

/** A sentence that says so; undefined for a run that ended by itself, or had marked its answer before it was cut. */
export function unansweredText(trace: Trace): string | undefined {
  if (statedAnswer(trace) !== undefined) return undefined;
  return t(
    'This run was cut before it stated an answer: what is said of the answer is of the words that it had written.',
  );
}

/** A verdict with that sentence after it, where it holds. */
export function withUnanswered<Verdict extends { sentence: string }>(
  verdict: Verdict,
  trace: Trace,
): Verdict {
  const note = unansweredText(trace);
  return note === undefined ? verdict : { ...verdict, sentence: `${verdict.sentence} ${note}` };
}
