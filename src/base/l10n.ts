/**
 * The reader's language. A sentence is written in English where it is said; a bundle holds it in another language.
 * Extension host and pages set one as they start. The engine and the command line set none, so that what they print
 * and what is stored in a trace do not depend on who made it.
 *
 * Call these where a text is made and not where a module is loaded: the bundle is not known then.
 */

/** Sentences by their English ones; `l10n/bundle.l10n.LANGUAGE.json`. */
export type Bundle = Readonly<Record<string, string>>;

let sentences: ReadonlyMap<string, string> = new Map();

declare const marked: unique symbol;

/** A sentence in English of which `message` has said that people read it; `translated` gives it in their language. */
export type Message = string & { readonly [marked]: true };

/** Sets the language from now on; undefined is English. */
export function setBundle(bundle: Bundle | undefined): void {
  sentences = new Map(Object.entries(bundle ?? {}));
}

/**
 * A sentence in the reader's language.
 * @param message in English, a literal; {0}, {1}, … stand for `values`
 */
export function t(message: string, ...values: readonly (string | number)[]): string {
  const sentence = sentences.get(message) ?? message;
  if (values.length === 0) return sentence;
  return sentence.replaceAll(/\{(\d)\}/g, (whole, place: string) => String(values[Number(place)] ?? whole));
}

/**
 * The sentence for one thing, or for any other number of them; {0} is the number. German and English need two forms.
 * A language that needs more puts them so that one form reads well for all numbers but 1.
 */
export function plural(
  count: number,
  one: string,
  other: string,
  ...more: readonly (string | number)[]
): string {
  return t(count === 1 ? one : other, count, ...more);
}

/** Marks a sentence that is written down before it is said, in a table or a definition; returns it as it is. */
export function message(sentence: string): Message {
  return sentence as Message;
}

/** A marked sentence in the reader's language. */
export function translated(sentence: Message, ...values: readonly (string | number)[]): string {
  return t(sentence, ...values);
}
