/**
 * A container without what nothing refers to any more: arrays of results that were computed again. A file of arrays is
 * only ever added to, so that a trace survives whatever dies; what is written whole, an export or a trace in one file,
 * leaves them out.
 */

import { allArrays, bytesOf, type ByteSource } from '../trace/arrays.ts';
import type { Trace } from '../trace/schema.ts';
import { aligned } from './container.ts';

/** Bytes that go from one place to another. */
interface Part {
  from: number;
  to: number;
  length: number;
}

/** Arrays that are referred to, one after the other, in the order in which they lie. */
function partsOf(trace: Trace): { parts: Part[]; bytes: number } {
  const lengths = new Map<number, number>();
  for (const ref of allArrays(trace))
    lengths.set(ref.offset, Math.max(bytesOf(ref), lengths.get(ref.offset) ?? 0));
  let bytes = 0;
  const parts = [...lengths]
    .toSorted(([a], [b]) => a - b)
    .map(([from, length]): Part => {
      const to = aligned(bytes);
      bytes = to + length;
      return { from, to, length };
    });
  return { parts, bytes };
}

/** How much of a trace's container nothing refers to. */
export function deadBytes(trace: Trace): number {
  return Math.max(0, trace.arrays.bytes - partsOf(trace).bytes);
}

/** The trace with a container that has no such bytes; the same where there are none. Neither is changed. */
export function compacted<Source extends ByteSource>(
  trace: Trace,
  container: Source,
): { trace: Trace; container: ByteSource } {
  const { parts, bytes } = partsOf(trace);
  if (bytes >= trace.arrays.bytes) return { trace, container };
  const places = new Map(parts.map(({ from, to }) => [from, to]));
  const copy = structuredClone(trace);
  for (const ref of allArrays(copy)) ref.offset = places.get(ref.offset)!;
  copy.arrays.bytes = bytes;
  return { trace: copy, container: new Moved(container, parts) };
}

/** Reads parts of a container as if they lay one after the other. */
class Moved implements ByteSource {
  private readonly source: ByteSource;
  private readonly parts: readonly Part[];

  constructor(source: ByteSource, parts: readonly Part[]) {
    this.source = source;
    this.parts = parts;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    const end = offset + length;
    for (const part of this.parts) {
      const first = Math.max(offset, part.to);
      const last = Math.min(end, part.to + part.length);
      if (first >= last) continue;
      bytes.set(await this.source.read(part.from + first - part.to, last - first), first - offset);
    }
    return bytes;
  }

  verify(...array: Parameters<ByteSource['verify']>): void {
    this.source.verify(...array);
  }
}
