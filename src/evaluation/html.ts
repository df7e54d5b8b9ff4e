/** HTML that is only what is written here: everything that is filled in is text. */

import { printable } from '../base/plainText.ts';

/** Markup that `html` has made. */
export class Markup {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

export type Filling = string | number | Markup | readonly Filling[] | undefined | false;

/** A template in which values become text, unless they are markup themselves. */
export function html(parts: TemplateStringsArray, ...values: readonly Filling[]): Markup {
  return new Markup(parts.map((part, i) => part + (i < values.length ? sourceOf(values[i]) : '')).join(''));
}

function sourceOf(value: Filling): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Markup) return value.source;
  if (typeof value === 'object') return value.map(sourceOf).join('');
  return escaped(String(value));
}

function escaped(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
