/** Finds the answer in what a model wrote. */

import type { Trace } from './schema.ts';
import { answerText } from './steps.ts';

/**
 * The answer of a run, short: what it boxed, else what it states as its answer. Undefined while it goes on
 * without having boxed one.
 */
export function statedAnswer(trace: Trace): string | undefined {
  const text = answerText(trace);
  return lastBoxed(text) ?? (trace.status === 'complete' ? finalAnswer(text) : undefined);
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
