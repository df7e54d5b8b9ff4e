/**
 * A large trace read from one file: its manifest, and its arrays put into a container file where they do not lie in
 * one already. Parsing hundreds of megabytes takes many seconds and more than a gigabyte, so this runs in a process of its own (worker.ts).
 */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readPlainFile } from '../../files/plainFile.ts';
import type { Trace } from '../../trace/schema.ts';
import { MAX_CHARACTERS, readManifest } from '../../traceFile/manifest.ts';

/** A file to read, or the bytes of one that lies where Node cannot read. */
export type UnpackRequest = {
  /** A new file for the arrays. */
  into: string;
} & ({ file: string } | { bytes: Uint8Array; name: string });

export interface Unpacked {
  trace: Trace;
  /** Where its arrays are: a file beside it, by its name, or the new file. */
  arrays: { file: string } | 'unpacked';
}

/** Lists that grow with a run. To take in thousands of entries at once would hold up whoever does. */
export const LONG_LISTS = ['tokens', 'latents'] as const;
export type LongList = (typeof LONG_LISTS)[number];

/** Asks for entries of a list, from one on. */
export interface PieceRequest {
  list: LongList;
  from: number;
}

/** @throws UserError if it is no trace, or a damaged one, or the disk refuses */
export async function unpackTrace(request: UnpackRequest): Promise<Unpacked> {
  const bytes =
    'file' in request
      ? await readPlainFile(request.file, { what: 'trace', maxBytes: MAX_CHARACTERS })
      : request.bytes;
  const name = 'file' in request ? path.basename(request.file) : request.name;
  const { trace, arrays } = await readManifest(new TextDecoder().decode(bytes), name);
  if ('file' in arrays) return { trace, arrays };
  await writeFile(request.into, arrays.all(), { flag: 'wx', mode: 0o600 });
  return { trace, arrays: 'unpacked' };
}
