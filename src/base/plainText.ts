/**
 * Text from outside, made harmless to show: names of files and tensors, JSON, model answers, fields of traces.
 * Nothing in it can steer a terminal, reorder or hide what stands beside it, or become a link or an icon.
 *
 * What is changed stays visible and can be copied: a control character reads \u001b, and the syntax of a
 * link or an icon gets a space. Look-alikes and characters without width would be copied unseen.
 */

/**
 * Controls, separators, halves of a character, and whatever reorders text or has no width. Not the joiners and
 * selectors that scripts and emoji are written with.
 */
const UNSEEN =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?!\p{Variation_Selector}|\p{Join_Control})\p{Default_Ignorable_Code_Point}/gu;

const LINE_END = /[\t\n\v\f\r\u0085\u2028\u2029]/;

/** Where `[label](address)` and `$(icon)` would begin to be more than text: VS Code reads both without spaces only. */
const SYNTAX = /([\]$])(?=\()/g;

/** VS Code cuts a notification here. */
const MAX_PLAIN = 1000;

/** For a terminal or a log: line ends and tabs stay, everything else that is not seen is written out. */
export function printable(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(UNSEEN, (character) =>
      character === '\n' || character === '\t' ? character : escapeOf(character),
    );
}

/** Printable, on one line. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/[\s\u0085]+/g, (blank) => (LINE_END.test(blank) ? ' ' : blank)));
}

/**
 * For a window: one line, no links, no icons, and of a long text its beginning and end. Give it the whole text
 * that is shown, as two harmless pieces can make a link together.
 */
export function plainText(text: string, limit = MAX_PLAIN): string {
  // Cut before too: each character of megabytes may become six.
  const line = oneLine(shortened(text, limit)).replaceAll(SYNTAX, '$1 ');
  return shortened(line, limit);
}

/** Beginning and end of a text that is too long: an error's remedy stands last. */
export function shortened(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const head = Math.ceil(limit * 0.6);
  const cut = `${text.slice(0, head)} … ${text.slice(text.length - (limit - head))}`;
  // A character of two halves may have been cut between them.
  return cut.replaceAll(/\p{Cs}/gu, '');
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0)!.toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
}
