/** Where a word stands, for lists: many words of an answer read alike. */

import type { Trace } from '../../trace/schema.ts';
import { stepListOf } from './stepList.ts';

export interface WordPlace {
  /** Of the step, counted from 1; absent for a word outside every step. */
  step: number | undefined;
  before: string;
  word: string;
  after: string;
}

/** Characters of its line before and after a word; what stands before tells more. */
const BEFORE = 8;
const AFTER = 4;

/** The words' places, in the order of `tokens`. */
export function wordPlaces(trace: Trace, tokens: readonly number[]): WordPlace[] {
  const list = stepListOf(trace);
  return tokens.map((token) => {
    const step = list.stepAt(token);
    const [first, last] = [step?.first ?? token, step?.last ?? token];
    const text = (from: number, to: number): string =>
      oneLine(
        trace.tokens
          .slice(from, to)
          .map((entry) => entry.text)
          .join(''),
      );
    const before = text(first, token);
    const after = text(token + 1, last + 1);
    return {
      step: step?.number,
      before: before.length > BEFORE ? `…${before.slice(-BEFORE)}` : before,
      word: oneLine(trace.tokens[token]?.text ?? ''),
      after: after.length > AFTER ? `${after.slice(0, AFTER)}…` : after,
    };
  });
}

function oneLine(text: string): string {
  return text.replaceAll('\n', '↵');
}
