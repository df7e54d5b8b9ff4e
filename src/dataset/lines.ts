/** A text file line by line, whatever its size. */

import { createReadStream } from 'node:fs';
import { messageOf, UserError } from '../base/errors.ts';

/** A sample is a few kilobytes; a "line" of this size is some other kind of file. */
const MAX_LINE = 2 ** 24;

export interface Line {
  /** Counted from 1. */
  number: number;
  /** Without the line end. */
  text: string;
}

/**
 * Yields the lines that are not blank.
 * @throws UserError if the file cannot be read, is not UTF-8, or has a line of more than 16 MiB
 */
export async function* readLines(file: string): AsyncGenerator<Line> {
  let number = 0;
  let pending = '';
  for await (const text of decoded(file)) {
    const lines = (pending + text).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) {
      number++;
      if (line.trim() !== '') yield { number, text: line.replace(/\r$/, '') };
    }
    if (pending.length > MAX_LINE) throw tooLong(file, number + 1);
  }
  if (pending.trim() !== '') yield { number: number + 1, text: pending };
}

/** Chunks of the file as text. */
async function* decoded(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    const chunks: AsyncIterable<Uint8Array> = createReadStream(file);
    for await (const chunk of chunks) {
      yield decoder.decode(chunk, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    const notText = error instanceof TypeError;
    throw new UserError(
      {
        problem: notText ? 'This file is not UTF-8 text' : 'This file cannot be read',
        expected: 'JSON Lines, one object per line',
        found: messageOf(error),
        where: file,
      },
      { cause: error },
    );
  }
}

function tooLong(file: string, line: number): UserError {
  return new UserError({
    problem: 'This line is too long for a sample',
    expected: `at most ${MAX_LINE} characters`,
    where: `${file}:${line}`,
    remedy: 'Give a JSON Lines file: one object per line.',
  });
}
