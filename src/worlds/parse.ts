/** Options of the generator of worlds as a person writes them. */

import { UserError } from '../base/errors.ts';

/** Of a list. */
const MAX_NUMBERS = 4096;

/**
 * "3-6", "4" or "1-3,8": whole numbers in the order they are given.
 * @throws UserError
 */
export function parseNumbers(what: string, text: string, low: number, high: number): number[] {
  const numbers: number[] = [];
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?$/.exec(part);
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    const fits = first >= low && last <= high && first <= last;
    if (!fits || last - first >= MAX_NUMBERS || numbers.length >= MAX_NUMBERS)
      throw new UserError({
        problem: `This is no ${what}`,
        expected: `whole numbers from ${low} to ${high}, such as ${low} or ${low}-${Math.min(high, low + 3)}`,
        found: JSON.stringify(text.slice(0, 40)),
      });
    for (let n = first; n <= last; n++) numbers.push(n);
  }
  return numbers;
}

/**
 * "ice,doors": names out of a list.
 * @throws UserError
 */
export function parseChoices<T extends string>(what: string, text: string, choices: readonly T[]): T[] {
  return text.split(',', MAX_NUMBERS).map((part) => {
    const choice = choices.find((known) => known === part.trim());
    if (choice !== undefined) return choice;
    throw new UserError({
      problem: `This is no ${what}`,
      expected: choices.join(', '),
      found: JSON.stringify(part.trim().slice(0, 40)),
    });
  });
}

/**
 * "varied", or seeds of styles.
 * @throws UserError
 */
export function parseStyles(text: string): number[] | 'varied' {
  return text === 'varied' ? text : parseNumbers('style of drawing', text, 0, 2 ** 32 - 1);
}
