/** Which tokens are the answer. Free of schemas, so that a page can have it. */

import { lastBox } from '../base/boxed.ts';
import type { AnalysedRun } from './run.ts';

/**
 * The new tokens whose probability is explained: those that make up the last boxed answer; else the words after the
 * last block; else all words.
 */
export function answerTokens({ tokens }: Pick<AnalysedRun, 'tokens'>): number[] {
  const words = [...tokens.keys()].filter((i) => tokens[i]!.kind === 'text');
  const lastBlock = tokens.findLastIndex(({ kind }) => kind !== 'text' && kind !== 'end');
  const boxed = boxedTokens(tokens);
  if (boxed.length > 0) return boxed;
  const after = words.filter((i) => i > lastBlock);
  return after.length > 0 ? after : words;
}

function boxedTokens(tokens: AnalysedRun['tokens']): number[] {
  const box = lastBox(tokens.map(({ text }) => text).join(''));
  if (box === undefined) return [];
  let at = 0;
  return [...tokens.keys()].filter((i) => {
    const start = at;
    at += tokens[i]!.text.length;
    return tokens[i]!.kind === 'text' && start < box.end && at > box.start;
  });
}
