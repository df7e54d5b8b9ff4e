/**
 * A trace written to a place of the user's: one self-contained file, the pair of manifest and container, or NPZ.
 * Each is streamed, so that nobody holds the arrays, and there whole or not at all.
 */

import path from 'node:path';
import { unreachable, UserError } from '../base/errors.ts';
import { nextTurn } from '../base/turn.ts';
import { replaceFile } from '../files/replaceFile.ts';
import type { ByteSource } from '../trace/arrays.ts';
import type { Trace } from '../trace/schema.ts';
import { compacted } from './compact.ts';
import {
  ARRAYS_SUFFIX,
  arraysText,
  dataFrame,
  manifestPieces,
  MAX_CHARACTERS,
  snapshotOf,
  TRACE_SUFFIX,
} from './manifest.ts';
import { npzPieces, npzSize } from './npz.ts';

/** json: one file with everything in it; pair: a manifest and the file of its arrays; npz: for NumPy. */
export const EXPORT_FORMS = ['json', 'pair', 'npz'] as const;

export type ExportForm = (typeof EXPORT_FORMS)[number];

/** How the file's name ends, that of a pair's manifest. */
export const EXPORT_SUFFIX: Readonly<Record<ExportForm, string>> = {
  json: TRACE_SUFFIX,
  pair: TRACE_SUFFIX,
  npz: '.npz',
};

/** A file of so many bytes opens at once everywhere. */
const SMALL = 2 ** 25;
/** Bytes that are copied at a time; a multiple of 3, so that pieces of base64 need no padding. */
const PIECE = 3 * 2 ** 19;

export interface ExportSource {
  /** May grow; what is in it at the start is exported. */
  trace: Trace;
  container: ByteSource;
}

export interface ExportOptions {
  /** Absent: as the file's name says; one file while it is small, a pair when it is not. */
  form?: ExportForm;
  signal?: AbortSignal;
  /** Told how much is written, from 0 to 1. */
  progress?: (fraction: number) => void;
}

/** A file to be written, and what goes into it. */
interface Part {
  file: string;
  pieces: Iterable<string> | AsyncIterable<string | Uint8Array>;
}

/** About how many bytes each form takes. */
export async function exportSizes(growing: Trace): Promise<Record<ExportForm, number>> {
  const trace = snapshotOf(growing);
  let manifest = 0;
  for (const piece of manifestPieces(trace)) {
    manifest += Buffer.byteLength(piece);
    await nextTurn();
  }
  const { bytes } = trace.arrays;
  const frame = dataFrame(trace).join('').length;
  return {
    json: manifest + frame + Math.ceil(bytes / 3) * 4,
    pair: manifest + frame + bytes,
    npz: npzSize(trace, manifest + frame),
  };
}

/**
 * Writes a trace.
 * @param file of a pair, the manifest's; the container's is put beside it
 * @returns the files that were written
 * @throws UserError if the form cannot hold so much, the disk refuses, or the arrays are damaged; the signal's reason
 * when aborted. A pair's manifest takes its place last, so that it never names what is not there.
 */
export async function exportTrace(
  source: ExportSource,
  file: string,
  { form: asked, signal, progress }: ExportOptions = {},
): Promise<string[]> {
  const { trace, container } = compacted(snapshotOf(source.trace), source.container);
  const sizes = await exportSizes(trace);
  const form = asked ?? formFor(file, sizes.json);
  if (form === 'json') requireReadable(sizes.json, file);
  let done = 0;
  const parts = partsOf(form, trace, container, file);
  await writeAll(parts, (bytes) => {
    done += bytes;
    progress?.(Math.min(1, done / sizes[form]));
    signal?.throwIfAborted();
  });
  return parts.map((part) => part.file);
}

/**
 * Writes files that belong together: each takes its place when all are written, in their order.
 * @param wrote told after every piece; what it throws ends the writing
 */
async function writeAll(parts: readonly Part[], wrote: (bytes: number) => void): Promise<void> {
  const last = parts.at(-1);
  if (last === undefined) return;
  await replaceFile(last.file, async (handle) => {
    for await (const piece of last.pieces) {
      await handle.writeFile(piece);
      wrote(piece.length);
    }
    await writeAll(parts.slice(0, -1), wrote);
  });
}

function formFor(file: string, size: number): ExportForm {
  if (file.endsWith(EXPORT_SUFFIX.npz)) return 'npz';
  return size <= SMALL ? 'json' : 'pair';
}

/** Where a pair's container goes, beside its manifest. */
export function arraysFileOf(manifest: string): string {
  return manifest.replace(/(\.ilvr)?(\.json)?$/, ARRAYS_SUFFIX);
}

function partsOf(form: ExportForm, trace: Trace, container: ByteSource, file: string): Part[] {
  switch (form) {
    case 'json':
      return [{ file, pieces: selfContained(trace, container) }];
    case 'npz':
      return [{ file, pieces: npzPieces(trace, container, () => closed(trace)) }];
    case 'pair': {
      const arrays = arraysFileOf(file);
      return [
        { file: arrays, pieces: bytesOfContainer(trace, container) },
        { file, pieces: closed(trace, path.basename(arrays)) },
      ];
    }
    default:
      return unreachable(form);
  }
}

/** A manifest whose arrays are in a file beside it, or, without one, in what it is packed into. */
function* closed(trace: Trace, file?: string): Generator<string> {
  yield* manifestPieces(trace);
  yield arraysText(trace, file === undefined ? undefined : { file });
}

async function* selfContained(trace: Trace, container: ByteSource): AsyncGenerator<string> {
  const [before, after] = dataFrame(trace);
  yield* manifestPieces(trace);
  yield before;
  for await (const bytes of bytesOfContainer(trace, container)) {
    yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  }
  yield after;
}

async function* bytesOfContainer({ arrays }: Trace, container: ByteSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < arrays.bytes; at += PIECE) {
    yield await container.read(at, Math.min(PIECE, arrays.bytes - at));
  }
}

function requireReadable(size: number, where: string): void {
  if (size <= MAX_CHARACTERS) return;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  throw new UserError({
    problem: 'This trace is too large for one self-contained file',
    expected: `at most ${megabytes(MAX_CHARACTERS)}, which is what can be read back`,
    found: megabytes(size),
    where,
    remedy: 'Export it as two files, or as NPZ.',
  });
}
