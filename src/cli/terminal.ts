/**
 * What the command line prints: results on the output, progress and faults on the error stream.
 *
 * Whatever is printed may hold text from a model, a file or a stranger's folder, so everything is made
 * printable here; the only escapes that reach a terminal are those of a style. On a terminal, progress is one
 * line that updates itself; elsewhere it is a plain line per message.
 */

import { styleText } from 'node:util';
import { oneLine, printable } from '../base/plainText.ts';

export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

type Style = 'bold' | 'dim' | 'green' | 'red' | 'cyan';

/** A piece of a line in a style, which the terminal alone turns into escapes. */
export class Styled {
  readonly style: Style;
  readonly text: string;

  constructor(style: Style, text: string) {
    this.style = style;
    this.text = text;
  }
}

export type Part = string | Styled;

/** What a line is about, in a column of its own. */
export function label(text: string, width = 9): Styled {
  return new Styled('dim', text.padEnd(width));
}

export interface TerminalOptions {
  out: Output;
  err: Output;
  /** NO_COLOR (https://no-color.org) and FORCE_COLOR are honoured. */
  env: Record<string, string | undefined>;
}

const ERASE_LINE = '\r\u001B[2K';
/** For a terminal that does not tell its width, or tells 0. */
const PLAIN_WIDTH = 80;

export class Terminal {
  private readonly out: Output;
  private readonly err: Output;
  private readonly colour: boolean;
  private atLineStart = true;
  private shownProgress: string | undefined;
  /** Whether progress is not shown at all; results and faults always are. */
  quiet = false;

  constructor({ out, err, env }: TerminalOptions) {
    this.out = out;
    this.err = err;
    const forced = env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0';
    this.colour = !env['NO_COLOR'] && (forced || out.isTTY === true);
  }

  /** Writes a piece of text as it comes, with its line ends; see `line` for whole lines. */
  print(text: string): void {
    this.write(printable(text));
  }

  /** Writes a whole line, on a line of its own. */
  line(...parts: Part[]): void {
    this.write(`${this.atLineStart ? '' : '\n'}${this.render(parts)}\n`);
  }

  /** Writes a line to the error stream. */
  error(...parts: Part[]): void {
    this.writeError(this.render(parts));
  }

  /** Writes a text of several lines to the error stream. */
  errorLines(text: string): void {
    this.writeError(printable(text));
  }

  /** Shows what is going on; `fraction` from 0 to 1 where it is known. */
  progress(message: string, fraction?: number): void {
    if (this.quiet) return;
    const text = oneLine(message);
    if (this.err.isTTY !== true) {
      if (text !== this.shownProgress) this.err.write(`${text}\n`);
      this.shownProgress = text;
      return;
    }
    if (!this.atLineStart) return;
    const share = fraction === undefined ? '' : ` ${Math.round(fraction * 100)} %`;
    const room = (this.err.columns || PLAIN_WIDTH) - share.length - 1;
    this.err.write(`${ERASE_LINE}${text.slice(0, room)}${share}`);
    this.shownProgress = text;
  }

  /** Progress that is not worth a line of a log. */
  passing(message: string, fraction?: number): void {
    if (this.err.isTTY === true) this.progress(message, fraction);
  }

  clearProgress(): void {
    if (this.shownProgress !== undefined && this.err.isTTY === true) {
      this.err.write(ERASE_LINE);
      this.shownProgress = undefined;
    }
  }

  private write(text: string): void {
    if (text === '') return;
    this.clearProgress();
    this.out.write(text);
    this.atLineStart = text.endsWith('\n');
  }

  private writeError(text: string): void {
    this.clearProgress();
    if (!this.atLineStart) this.write('\n');
    this.err.write(`${text}\n`);
  }

  private render(parts: Part[]): string {
    return parts
      .map((part) => {
        if (typeof part === 'string') return oneLine(part);
        const text = oneLine(part.text);
        return this.colour ? styleText(part.style, text, { validateStream: false }) : text;
      })
      .join('');
  }
}
