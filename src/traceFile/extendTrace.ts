/**
 * Adding to a trace's file, whichever form it has. Arrays are added to the end of their file first, then the manifest is
 * replaced: if anything dies between the two, the trace is as it was before.
 */

import { lstat, realpath } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../base/errors.ts';
import { lockFile } from '../files/lock.ts';
import { readPlainFile } from '../files/plainFile.ts';
import { replaceFile } from '../files/replaceFile.ts';
import { bytesOf, allArrays, type ArraySink } from '../trace/arrays.ts';
import type { Trace } from '../trace/schema.ts';
import { compacted } from './compact.ts';
import { ContainerWriter, MemoryContainer } from './container.ts';
import { MAX_CHARACTERS, readManifest, writeManifest } from './manifest.ts';

/** Files that this process adds to, and when that will be done: its own additions wait for one another. */
const additions = new Map<string, Promise<unknown>>();

/**
 * Changes a trace in its file; one of an older version becomes one of today's. Of two changes that this process
 * makes at once the second waits.
 * @param change gets the trace as the file has it now; its new arrays go to the sink
 * @returns the trace as it is in the file now
 * @throws UserError if it is no trace, another program is adding to it, or it is of a run that goes on
 */
export async function extendTrace(
  file: string,
  change: (trace: Trace, sink: ArraySink) => Promise<void>,
): Promise<Trace> {
  const key = await realpath(file).catch(() => path.resolve(file));
  const addition = (additions.get(key) ?? Promise.resolve()).then(() => extend(file, change));
  // A failed addition must not keep later ones from being tried.
  const ended = addition.then(
    () => undefined,
    () => undefined,
  );
  additions.set(key, ended);
  try {
    return await addition;
  } finally {
    if (additions.get(key) === ended) additions.delete(key);
  }
}

async function extend(
  file: string,
  change: (trace: Trace, sink: ArraySink) => Promise<void>,
): Promise<Trace> {
  const unlock = await lockFile(file);
  try {
    const bytes = await readPlainFile(file, { what: 'trace', maxBytes: MAX_CHARACTERS });
    const { trace, arrays } = await readManifest(new TextDecoder().decode(bytes), path.basename(file));
    if (trace.status === 'running') {
      throw new UserError({
        problem: 'Nothing can be added to this trace now',
        found: 'a run that goes on',
        where: file,
        remedy: 'Wait until it has ended.',
      });
    }
    const where = 'file' in arrays ? await addToFile(file, arrays.file, trace, change) : arrays;
    if (where instanceof MemoryContainer) await change(trace, where);
    trace.arrays.bytes = endOf(trace);
    return await replaced(file, trace, where);
  } finally {
    await unlock();
  }
}

async function addToFile(
  file: string,
  name: string,
  trace: Trace,
  change: (trace: Trace, sink: ArraySink) => Promise<void>,
): Promise<{ file: string }> {
  const arrays = path.join(path.dirname(file), name);
  // A manifest may be anybody's: what it names is added to only where it lies.
  if ((await lstat(arrays)).isSymbolicLink()) {
    throw new UserError({
      problem: 'Nothing is added to arrays that are elsewhere',
      expected: 'the file itself beside its manifest',
      found: 'a link',
      where: arrays,
      remedy: 'Put the file in the place of the link.',
    });
  }
  const writer = await ContainerWriter.extend(arrays);
  try {
    await change(trace, writer);
  } finally {
    await writer.close();
  }
  return { file: name };
}

/** A trace in one file is written whole, so without what nothing refers to any more. */
async function replaced(
  file: string,
  trace: Trace,
  where: { file: string } | MemoryContainer,
): Promise<Trace> {
  if (!(where instanceof MemoryContainer)) {
    await replaceFile(file, writeManifest(trace, where));
    return trace;
  }
  const whole = compacted(trace, where);
  const bytes = await whole.container.read(0, whole.trace.arrays.bytes);
  await replaceFile(file, writeManifest(whole.trace, { data: Buffer.from(bytes).toString('base64') }));
  return whole.trace;
}

/** The container reaches as far as what is referred to. */
function endOf(trace: Trace): number {
  return allArrays(trace).reduce((end, ref) => Math.max(end, ref.offset + bytesOf(ref)), trace.arrays.bytes);
}
