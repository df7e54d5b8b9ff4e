/**
 * What the command line prints: results on the output, progress and faults on the error stream.
 *
 * On a terminal, progress is one line that updates itself; elsewhere it is a plain line per message.
 */

import { styleText } from 'node:util';

export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

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

  /** Writes a piece of text as it comes; see `line` for whole lines. */
  print(text: string): void {
    if (text === '') return;
    this.clearProgress();
    this.out.write(text);
    this.atLineStart = text.endsWith('\n');
  }

  /** Writes a whole line, on a line of its own. */
  line(text = ''): void {
    this.print(`${this.atLineStart ? '' : '\n'}${text}\n`);
  }

  /** Writes a line to the error stream. */
  error(text: string): void {
    this.clearProgress();
    if (!this.atLineStart) this.print('\n');
    this.err.write(`${text}\n`);
  }

  /** Shows what is going on; `fraction` from 0 to 1 where it is known. */
  progress(message: string, fraction?: number): void {
    if (this.quiet) return;
    if (this.err.isTTY !== true) {
      if (message !== this.shownProgress) this.err.write(`${message}\n`);
      this.shownProgress = message;
      return;
    }
    if (!this.atLineStart) return;
    const share = fraction === undefined ? '' : ` ${Math.round(fraction * 100)} %`;
    const room = (this.err.columns || PLAIN_WIDTH) - share.length - 1;
    this.err.write(`${ERASE_LINE}${message.slice(0, room)}${share}`);
    this.shownProgress = message;
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

  style(style: Style, text: string): string {
    return this.colour ? styleText(style, text, { validateStream: false }) : text;
  }
}

/** Text of a model or a file, made harmless: control characters could move the cursor or retitle the window. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) =>
    character === '\n' || character === '\t' ? character : '\uFFFD',
  );
}
