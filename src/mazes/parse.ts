/** Options of the generator as a person writes them. */

import { UserError } from '../base/errors.ts';
import { MAX_SIZE, MIN_SIZE } from './grid.ts';
import { QUESTION_KINDS, type QuestionKind } from './questions.ts';

/**
 * "3-6", "4" or "3,5,6": sizes in the order they are given.
 * @throws UserError
 */
export function parseSizes(text: string): number[] {
  const sizes = text.split(',').flatMap((part) => {
    const match = /^\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?$/.exec(part);
    const [low, high] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    if (!(low >= MIN_SIZE && high <= MAX_SIZE && low <= high)) throw invalidSizes(text);
    return Array.from({ length: high - low + 1 }, (_, i) => low + i);
  });
  if (new Set(sizes).size < sizes.length) throw invalidSizes(text);
  return sizes;
}

function invalidSizes(text: string): UserError {
  return new UserError({
    problem: 'These are no sizes of maps',
    expected: `different whole numbers from ${MIN_SIZE} to ${MAX_SIZE}, such as 3-6 or 3,5`,
    found: `"${text}"`,
  });
}

/**
 * "plan,describe": kinds of questions, each asked of every map.
 * @throws UserError
 */
export function parseQuestions(text: string): QuestionKind[] {
  return text.split(',').map((part) => {
    const kind = QUESTION_KINDS.find((known) => known === part.trim());
    if (kind !== undefined) return kind;
    throw new UserError({
      problem: 'This is no kind of question',
      expected: QUESTION_KINDS.join(', '),
      found: `"${part.trim()}"`,
    });
  });
}

/**
 * "varied", or a seed.
 * @throws UserError
 */
export function parseStyle(text: string): number | 'varied' {
  if (text === 'varied') return text;
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (seed < 2 ** 32) return seed;
  throw new UserError({
    problem: 'This is no style of drawing',
    expected: `"varied" or a whole number from 0 to ${2 ** 32 - 1}`,
    found: `"${text}"`,
  });
}
