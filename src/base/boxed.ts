/** Answers as models are trained to mark them: `\boxed{…}`. */

const OPENING = '\\boxed{';

/** Where the content of the last box stands, its own braces balanced; undefined if there is none or it is cut off. */
export function lastBox(text: string): { start: number; end: number } | undefined {
  const box = text.lastIndexOf(OPENING);
  if (box < 0) return undefined;
  const start = box + OPENING.length;
  let depth = 1;
  for (let end = start; end < text.length; end++) {
    if (text[end] === '{') depth++;
    else if (text[end] === '}') depth--;
    if (depth === 0) return { start, end };
  }
  return undefined;
}
