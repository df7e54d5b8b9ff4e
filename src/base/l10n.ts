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
