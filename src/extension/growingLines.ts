/** A file of lines that others write: of each look only what was added is read, unless it was written anew. */

import { stat } from 'node:fs/promises';
import { openPlainFile } from '../files/plainFile.ts';

/** At a time. */
const MAX_ADDED_BYTES = 32 * 2 ** 20;

export class GrowingLines<Line> {
  lines: Line[] = [];
  private readonly lineOf: (text: string) => Line | undefined;
  private readonly maxBytes: number;
  private inode = 0;
  private offset = 0;
  /** One look after the other: two at once would read the same lines. */
  private looking: Promise<unknown> = Promise.resolve();

  /**
   * @param lineOf what is kept of a line; undefined leaves it out
   * @param maxBytes what lies beyond is not read: the file may be anyone's
   */
  constructor(lineOf: (text: string) => Line | undefined, maxBytes: number) {
    this.lineOf = lineOf;
    this.maxBytes = maxBytes;
  }

  /** @returns the index of the first line that is new; the number of lines if none is */
  read(file: string): Promise<number> {
    const look = this.looking.then(() => this.look(file));
    this.looking = look.catch(() => undefined);
    return look;
  }

  private async look(file: string): Promise<number> {
    const info = await stat(file).catch(() => undefined);
    if (info === undefined) return this.lines.length;
    let from = this.lines.length;
    if (info.ino !== this.inode || info.size < this.offset) {
      [this.lines, this.inode, this.offset, from] = [[], info.ino, 0, 0];
    }
    const left = Math.min(info.size, this.maxBytes) - this.offset;
    if (left <= 0) return from;
    const { handle } = await openPlainFile(file);
    try {
      const bytes = Buffer.alloc(Math.min(left, MAX_ADDED_BYTES));
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, this.offset);
      // The last line may still be in the writing; what is longer than all that is read at a time is no line.
      const lines = bytes.subarray(0, bytesRead).lastIndexOf(10) + 1;
      const whole = lines === 0 && bytesRead === MAX_ADDED_BYTES ? bytesRead : lines;
      const added = bytes
        .subarray(0, whole)
        .toString('utf8')
        .split('\n')
        .flatMap((line) => this.lineOf(line) ?? []);
      if (added.length > 0) this.lines = [...this.lines, ...added];
      this.offset += whole;
    } finally {
      await handle.close();
    }
    return from;
  }
}
