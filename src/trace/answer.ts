/** Finds the answer in what a model wrote. */

import type { Trace, TraceToken } from './schema.ts';
import { answerText } from './steps.ts';

/**
 * The answer of a run, short: what it marked, else what it states as its answer. Undefined while it goes on
 * without having marked one, and where it was cut before.
 */
export function statedAnswer(trace: Trace): string | undefined {
  const text = answerText(trace);
  return markedAnswer(text) ?? (hasEnded(trace) ? finalAnswer(text) : undefined);
}

/** Whether the model ended its answer by itself. */
export function hasEnded({ tokens }: { tokens: readonly Pick<TraceToken, 'kind'>[] }): boolean {
  return tokens.at(-1)?.kind === 'end';
}

/** What a text marks as its answer: the last `<answer>…</answer>`, of that the box in it, or else the last `\boxed{…}`. */
export function markedAnswer(text: string): string | undefined {
  const tagged = lastTagged(text);
  return tagged === undefined ? lastBoxed(text) : (lastBoxed(tagged) ?? tagged);
}

/** Content of the last `<answer>…</answer>`; undefined if there is none or it is cut off. */
function lastTagged(text: string): string | undefined {
  const [open, close] = ['<answer>', '</answer>'];
  const end = text.lastIndexOf(close);
  const start = end < 0 ? -1 : text.lastIndexOf(open, end);
  return start < 0 ? undefined : text.slice(start + open.length, end).trim();
}

/** Content of the last `\boxed{…}`, with its own braces balanced; undefined if there is none or it is cut off. */
export function lastBoxed(text: string): string | undefined {
  const opening = '\\boxed{';
  const start = text.lastIndexOf(opening);
  if (start < 0) return undefined;
  let depth = 1;
  for (let i = start + opening.length; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === '}') depth--;
    if (depth === 0) return text.slice(start + opening.length, i).trim();
  }
  return undefined;
}

const YES = new Set(['yes', 'true', 'a']);
const NO = new Set(['no', 'false', 'b']);

/**
 * The final answer as the released code finds it: the rest of the line after "final answer:" or, failing
 * that, "answer:"; else a single yes, no, true, false, a or b anywhere; else the whole text.
 */
export function finalAnswer(text: string): string {
  const whole = text.trim();
  for (const label of [
    /final\s*answer\s*(?:is)?\s*[:：]\s*([^\n]+)/i,
    /answer\s*(?:is)?\s*[:：]\s*([^\n]+)/i,
  ]) {
    const stated = label.exec(whole)?.[1]?.trim();
    if (stated !== undefined) return stated.split('\r')[0]!;
  }
  const words = whole.toLowerCase().match(/[a-z]+/g) ?? [];
  const choices = words.filter((word) => YES.has(word) || NO.has(word));
  const [only] = choices;
  if (only === undefined || choices.length > 1) return whole;
  if (only === 'yes') return 'Yes';
  return only === 'no' ? 'No' : only;
}

/** For comparing two answers: yes, true and A are "Yes", no, false and B are "No", others are only trimmed. */
export function normaliseAnswer(answer: string): string {
  const trimmed = answer.trim();
  const lower = trimmed.toLowerCase();
  if (YES.has(lower)) return 'Yes';
  return NO.has(lower) ? 'No' : trimmed;
}

/**
 * The letter of an answer to a multiple-choice question: "B", "(b)", "B. the red one", "option B". Undefined where none is
 * stated, and where a text merely begins with the word "a".
 */
export function choiceOf(answer: string): string | undefined {
  const text = answer.replace(/^\\text\{(.*)\}$/s, '$1').trim();
  const alone = /^\(?([A-Za-z])\)?[.:,)]?$/.exec(text)?.[1];
  const leading = /^(?:\(([A-Za-z])\)|([A-Z])[.:)])\s/.exec(text);
  const named = /\b(?:option|choice|answer(?:\s+is)?)\s*:?\s*\(?([A-Z])\)?(?![A-Za-z])/.exec(text)?.[1];
  return (alone ?? leading?.[1] ?? leading?.[2] ?? named)?.toUpperCase();
}
