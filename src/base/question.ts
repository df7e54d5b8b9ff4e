/** A question as a reader gets it. */

/** Without the places of pictures that stand before or after the text; one within it is part of what it says. */
export function shownQuestion(question: string): string {
  return question.replace(/^(?:\s|<image>)+/, '').replace(/(?:\s|<image>)+$/, '');
}
