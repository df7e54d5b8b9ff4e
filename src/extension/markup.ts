/**
 * Markdown for hovers. What a template's author wrote is Markdown; every value put into it is text, escaped so
 * that it can be neither a link, nor an address that VS Code would make one, nor HTML. Knows nothing of VS Code.
 */

import { toBase64 } from '../base/base64.ts';
import { oneLine, printable, shortened } from '../base/plainText.ts';

/** Of one value, and of a block: VS Code cuts a part of a hover at 100,000 characters, and one may become six. */
const MAX_VALUE = 1000;
const MAX_BLOCK = 8000;

/** Markdown whose values are escaped. */
export class Markup {
  readonly source: string;
  /** Commands that its links call. */
  readonly commands: readonly string[];
  /** Whether it holds text that may come from outside. */
  readonly hasOutside: boolean;

  /** Use `markup` and the functions below; a source that was put together in another way is not escaped. */
  constructor(source: string, commands: readonly string[], hasOutside: boolean) {
    if (commands.length > 0 && hasOutside) {
      throw new Error('a part of a hover that may call commands must hold no text from outside');
    }
    this.source = source;
    this.commands = commands;
    this.hasOutside = hasOutside;
  }
}

/** A template whose strings are Markdown and whose values are text, numbers, or Markdown made here. */
export function markup(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | Markup)[]
): Markup {
  const pieces = values.map((value) => (value instanceof Markup ? value : textOf(value)));
  return joined(strings, pieces);
}

/** Parts one after another. */
export function joinMarkup(parts: readonly Markup[], separator = ''): Markup {
  const strings = ['', ...parts.slice(1).map(() => separator), ''];
  return joined(parts.length === 0 ? [''] : strings, parts);
}

/** Words of ours that are not in the template itself; they are escaped all the same. */
export function ownWords(text: string): Markup {
  return new Markup(escapeMarkdown(text), [], false);
}

/** A link that calls a command with one argument. */
export function commandLink(label: string, command: string, argument: unknown): Markup {
  const query = encodeURIComponent(JSON.stringify([argument])).replaceAll(/[()]/g, (bracket) =>
    bracket === '(' ? '%28' : '%29',
  );
  return new Markup(`[${escapeMarkdown(label)}](command:${command}?${query})`, [command], false);
}

/** A picture of ours, PNG, with its size, without which VS Code measures a hover before the picture is there. */
export function pictureMarkup(
  png: Uint8Array,
  { width, height, alt }: { width: number; height: number; alt: string },
): Markup {
  const address = `data:image/png;base64,${toBase64(png)}|width=${width},height=${height}`;
  return new Markup(`![${escapeMarkdown(alt)}](${address})`, [], false);
}

/** Text as it is, in a block of its own. */
export function codeMarkup(text: string): Markup {
  const lines = printable(shortened(text, MAX_BLOCK));
  const longest = [...lines.matchAll(/`+/g)].reduce((most, [run]) => Math.max(most, run.length), 2);
  const fence = '`'.repeat(longest + 1);
  return new Markup(`\n${fence}text\n${lines}\n${fence}\n`, [], true);
}

/**
 * Text inside Markdown: every ASCII character that is no letter, digit or space becomes an entity, so nothing is
 * left that could mark up, and no "://", "www." or "@" that could be read as an address.
 */
export function escapeMarkdown(text: string): string {
  return oneLine(shortened(text, MAX_VALUE)).replaceAll(
    /[!-/:-@[-`{-~]/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}

function textOf(value: string | number): Markup {
  return new Markup(escapeMarkdown(String(value)), [], typeof value === 'string');
}

function joined(strings: readonly string[], pieces: readonly Markup[]): Markup {
  return new Markup(
    strings.map((text, i) => text + (pieces[i]?.source ?? '')).join(''),
    [...new Set(pieces.flatMap(({ commands }) => commands))],
    pieces.some(({ hasOutside }) => hasOutside),
  );
}
