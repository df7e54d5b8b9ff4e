/** A text file line by line, whatever its size. */

import { messageOf, UserError } from '../base/errors.ts';
import { openPlainFile } from '../files/plainFile.ts';

/** A sample is a few kilobytes, with its pictures in it some megabytes; a "line" of this size is another kind of file. */
const MAX_LINE = 2 ** 26;
const NEWLINE = 10;

export interface Line {
  /** Counted from 1. */
  number: number;
  /** Without the line end. */
  text: string;
  /** Its bytes in the file, to find it again. */
  offset: number;
  length: number;
  /** Why there is no text: it is too long, or not UTF-8. */
  problem?: UserError;
}

/**
 * Yields the lines that are not blank.
 * @throws UserError if the file is no plain file, or cannot be read
 */
export async function* readLines(file: string): AsyncGenerator<Line> {
  let number = 1;
  let [start, position] = [0, 0];
  // Of a line that did not end yet; beyond the bound they are forgotten.
  let parts: Uint8Array[] = [];
  for await (const chunk of chunksOf(file)) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      if (position + end - start <= MAX_LINE) {
        const line = lineOf(file, number, start, [...parts, chunk.subarray(from, end)]);
        if (line !== undefined) yield line;
      }
      [from, parts, start] = [end + 1, [], position + end + 1];
      number++;
    }
    const isKnownTooLong = position - start > MAX_LINE;
    position += chunk.length;
    if (position - start <= MAX_LINE) parts.push(chunk.subarray(from));
    else {
      parts = [];
      // At once: it may go on for ever.
      if (!isKnownTooLong) yield tooLong(file, number, start);
    }
  }
  if (position - start > MAX_LINE) return;
  const last = lineOf(file, number, start, parts);
  if (last !== undefined) yield last;
}

/** A line's text, read again. @throws UserError if the file has changed so that it is no text any more */
export async function rereadLine(
  file: string,
  { offset, length }: Pick<Line, 'offset' | 'length'>,
): Promise<string> {
  const { handle } = await openPlainFile(file, 'samples file');
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset);
    return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, bytesRead));
  } catch (error) {
    throw unreadable('This file cannot be read again', error, file);
  } finally {
    await handle.close();
  }
}

/** Nothing for a blank line. */
function lineOf(file: string, number: number, offset: number, parts: Uint8Array[]): Line | undefined {
  const bytes = Buffer.concat(parts);
  const place = { number, offset, length: bytes.length };
  try {
    // Drops the mark at the beginning of a file, too.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.trim() === '' ? undefined : { ...place, text: text.replace(/\r$/, '') };
  } catch (error) {
    return {
      ...place,
      text: '',
      problem: unreadable('This line is not UTF-8 text', error, `${file}:${number}`),
    };
  }
}

async function* chunksOf(file: string): AsyncGenerator<Uint8Array> {
  const { handle } = await openPlainFile(file, 'samples file');
  try {
    yield* handle.createReadStream() as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw unreadable('This file cannot be read', error, file);
  }
}

function unreadable(problem: string, error: unknown, where: string): UserError {
  const expected = 'JSON Lines, one object per line';
  return new UserError({ problem, expected, found: messageOf(error), where }, { cause: error });
}

function tooLong(file: string, number: number, offset: number): Line {
  const problem = new UserError({
    problem: 'This line is too long for a sample',
    expected: `at most ${MAX_LINE} bytes`,
    where: `${file}:${number}`,
    remedy: 'Give a JSON Lines file: one object per line.',
  });
  return { number, offset, length: 0, text: '', problem };
}
