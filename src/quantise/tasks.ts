/** What a thread of an import does: quantise some rows from file to file, or take a digest. All of it synchronous. */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { UserError } from '../base/errors.ts';
import type { Dtype } from '../tensor/dtype.ts';
import { Kernel } from './kernel.ts';
import type { Format } from './schemes.ts';

export type Task =
  | {
      kind: 'quantise';
      /** Name of the weight, for messages. */
      weight: string;
      source: { file: string; offset: number; dtype: Dtype };
      firstRow: number;
      rows: number;
      columns: number;
      format: Format;
      /** Where data, scales and zeros of these rows begin. */
      target: { file: string; offsets: number[] };
    }
  | { kind: 'digest'; file: string; ranges: { offset: number; length: number }[] };

/** Bytes read at a time for a digest. */
const DIGEST_CHUNK = 4 << 20;

export class TaskRunner {
  private readonly kernel = new Kernel();
  private readonly handles = new Map<string, number>();

  /** @returns the sha256 (hex) of a digest's ranges, or an empty text */
  run(task: Task): string {
    if (task.kind === 'digest') return this.digest(task);
    const { weight, source, firstRow, rows, columns, format, target } = task;
    const input = this.handle(source.file, 'r');
    const result = this.kernel.quantise(format, source.dtype, rows, columns, (bytes) =>
      readFully(input, bytes, source.offset + firstRow * (bytes.length / rows), source.file),
    );
    if ('notFiniteRow' in result) {
      throw new UserError({
        problem: 'The checkpoint holds a number that is NaN or infinite',
        where: `${source.file}, tensor ${weight}, row ${firstRow + result.notFiniteRow}`,
        remedy: 'Download the file again, or use a checkpoint whose training did not diverge.',
      });
    }
    const output = this.handle(target.file, 'r+');
    const parts = [result.data, result.scales, result.zeros];
    target.offsets.forEach((offset, i) => writeFully(output, parts[i]!, offset));
    return '';
  }

  close(): void {
    for (const handle of this.handles.values()) closeSync(handle);
    this.handles.clear();
  }

  private digest({ file, ranges }: Extract<Task, { kind: 'digest' }>): string {
    const hash = createHash('sha256');
    const handle = this.handle(file, 'r');
    const chunk = new Uint8Array(DIGEST_CHUNK);
    for (const { offset, length } of ranges) {
      for (let done = 0; done < length; done += chunk.length) {
        const bytes = chunk.subarray(0, Math.min(chunk.length, length - done));
        readFully(handle, bytes, offset + done, file);
        hash.update(bytes);
      }
    }
    return hash.digest('hex');
  }

  private handle(file: string, flags: 'r' | 'r+'): number {
    const key = `${flags} ${file}`;
    const known = this.handles.get(key);
    if (known !== undefined) return known;
    const handle = openSync(file, flags);
    this.handles.set(key, handle);
    return handle;
  }
}

function readFully(handle: number, bytes: Uint8Array, offset: number, file: string): void {
  for (let done = 0; done < bytes.length;) {
    const read = readSync(handle, bytes, done, bytes.length - done, offset + done);
    if (read === 0) {
      throw new UserError({
        problem: 'The file became shorter while it was read',
        where: file,
        remedy: 'Wait until nothing writes to the checkpoint, and try again.',
      });
    }
    done += read;
  }
}

function writeFully(handle: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(handle, bytes, done, bytes.length - done, offset + done);
  }
}
