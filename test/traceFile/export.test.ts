/** Claims about exports: each form holds the same numbers, there whole or not at all. */

import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { CancelledError } from '../../src/base/errors.ts';
import {
  allArrays,
  arraysOfResult,
  bytesOf,
  ITEM_BYTES,
  readArray,
  readBytes,
} from '../../src/trace/arrays.ts';
import type { ArrayRef, KeptAnalysis, Trace } from '../../src/trace/schema.ts';
import { deadBytes } from '../../src/traceFile/compact.ts';
import { FileContainer, type MemoryContainer } from '../../src/traceFile/container.ts';
import { EXPORT_FORMS, exportSizes, exportTrace } from '../../src/traceFile/export.ts';
import { MAX_CHARACTERS } from '../../src/traceFile/manifest.ts';
import { namedArrays, npyHeader } from '../../src/traceFile/npz.ts';
import { openTrace } from '../../src/traceFile/openTrace.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { smallRun } from '../fixtures/smallTrace.ts';

let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
});
const inFolder = (name: string): string => join(folder, name);

describe.each(['json', 'pair'] as const)('exported as %s, a trace', (form) => {
  it('reads back equal, with every array', async () => {
    const run = smallRun();
    await exportTrace(run, inFolder('small.ilvr.json'), { form });
    const back = await openTrace(inFolder('small.ilvr.json'));
    expect(back.trace).toEqual(run.trace);
    for (const ref of allArrays(run.trace)) {
      const [found, expected] = [await readBytes(back.container, ref), await readBytes(run.container, ref)];
      expect(Buffer.compare(found, expected)).toBe(0);
    }
    await back.close();
  });
});

it('a pair is a manifest and a container of its name, and takes the place of one that is open', async () => {
  const manifest = inFolder('small.ilvr.json');
  const files = await exportTrace(smallRun(), manifest, { form: 'pair' });
  expect(files).toEqual([inFolder('small.ilvr.bin'), manifest]);
  const open = await openTrace(manifest);
  expect(open.container).toBeInstanceOf(FileContainer);
  await exportTrace(open, manifest, { form: 'pair' });
  await open.close();
  const back = await openTrace(manifest);
  expect(back.trace).toEqual(smallRun().trace);
  await back.close();
});

it('the form follows from the name and the size unless it is told', async () => {
  expect(await exportTrace(smallRun(), inFolder('a.npz'))).toEqual([inFolder('a.npz')]);
  expect((await readFile(inFolder('a.npz'))).subarray(0, 2).toString()).toBe('PK');
  expect(await exportTrace(smallRun(), inFolder('a.ilvr.json'))).toEqual([inFolder('a.ilvr.json')]);
  expect(await readFile(inFolder('a.ilvr.json'), 'utf8')).toContain('"data":"');
});

/** The last array says that it is longer than it is. */
function lengthen({ arrays, ...trace }: Trace, bytes: number): void {
  const [last] = allArrays({ arrays, ...trace }).toSorted((a, b) => b.offset - a.offset);
  last!.shape = [(bytesOf(last!) + bytes) / ITEM_BYTES[last!.dtype]];
  arrays.bytes += bytes;
}

it('leaves out what nothing refers to any more', async () => {
  const run = smallRun();
  const before = await exportSizes(run.trace);
  const container = run.container as MemoryContainer;
  // A result that was computed again.
  await container.add('F32', [5000], new Float32Array(5000));
  const values = Float32Array.of(1, 2, 3);
  const kept = await container.add('F32', [3], values);
  run.trace.analyses = [analysisOf(kept)];
  run.trace.arrays.bytes = container.size;
  expect(deadBytes(run.trace)).toBeGreaterThanOrEqual(20_000);
  const [file] = await exportTrace(run, inFolder('a.ilvr.json'), { form: 'pair' });
  expect((await stat(file!)).size).toBeLessThan(before.pair);
  const open = await openTrace(inFolder('a.ilvr.json'));
  const [ref] = arraysOfResult(open.trace.analyses![0]!.result);
  expect((await readArray(open.container, ref!.ref)).data).toEqual(values);
  expect(deadBytes(open.trace)).toBe(0);
  for (const latent of open.trace.latents) await readArray(open.container, latent.attention);
  await open.close();
});

function analysisOf(ref: ArrayRef): KeptAnalysis {
  const createdAt = '2026-01-01T00:00:00.000Z';
  const about = { method: 'of-tomorrow', version: 1, createdAt, status: 'complete' as const };
  return { ...about, parameters: {}, result: { numbers: { $array: ref } } };
}

it('sizes are known before', async () => {
  const sizes = await exportSizes(smallRun().trace);
  for (const form of EXPORT_FORMS) {
    const files = await exportTrace(smallRun(), inFolder(`${form}.ilvr.json`), { form });
    let written = 0;
    for (const file of files) written += (await stat(file)).size;
    expect(Math.abs(written / sizes[form] - 1)).toBeLessThan(0.01);
  }
});

it('one file that nobody could read back is refused with the remedy, before anything is written', async () => {
  const run = smallRun();
  lengthen(run.trace, MAX_CHARACTERS);
  await expect(exportTrace(run, inFolder('huge.ilvr.json'), { form: 'json' })).rejects.toThrow(
    /too large for one self-contained file: expected at most 500 MB.*two files, or as NPZ/,
  );
  expect(await readdir(folder)).toEqual([]);
});

it.each(EXPORT_FORMS)('cancelled or cut off, an export as %s leaves what was there', async (form) => {
  const file = inFolder('small.ilvr.json');
  await writeFile(file, 'what was there');
  const abort = new AbortController();
  const progress = (): void => abort.abort(new CancelledError('The export'));
  const cancelled = exportTrace(smallRun(), file, { form, signal: abort.signal, progress });
  await expect(cancelled).rejects.toThrow(CancelledError);
  const run = smallRun();
  lengthen(run.trace, 1000);
  run.trace.latents[0]!.vector.sha256 = '0'.repeat(64);
  await expect(exportTrace(run, file, { form })).rejects.toThrow(/cut off|damaged/);
  expect(await readFile(file, 'utf8')).toBe('what was there');
  expect(await readdir(folder)).toEqual(['small.ilvr.json']);
});

it('progress ends at 1', async () => {
  const told: number[] = [];
  await exportTrace(smallRun(), inFolder('a.ilvr.json'), {
    form: 'pair',
    progress: (fraction) => told.push(fraction),
  });
  expect(told).toEqual(told.toSorted((a, b) => a - b));
  expect(told.at(-1)).toBe(1);
});

describe('an NPZ file', () => {
  it('holds the manifest and every array under a plain name', async () => {
    const run = smallRun();
    await exportTrace(run, inFolder('small.npz'));
    const entries = storedEntries(await readFile(inFolder('small.npz')));
    const manifest = JSON.parse(entries.get('trace.json')!.toString()) as { latents: unknown[] };
    expect(manifest.latents).toHaveLength(run.trace.latents.length);
    const named = namedArrays(run.trace);
    expect(named.map(({ ref }) => ref)).toHaveLength(allArrays(run.trace).length);
    for (const { name, ref } of named) {
      const entry = entries.get(`${name}.npy`)!;
      const header = npyHeader(ref.dtype, ref.shape);
      expect(entry.subarray(0, header.length)).toEqual(Buffer.from(header));
      expect(entry.subarray(header.length)).toEqual(Buffer.from(await readBytes(run.container, ref)));
    }
    expect([...entries.keys()]).toContain('latent_003.picture_001.selection_cosines.npy');
    expect(entries.size).toBe(named.length + 2);
  });

  it('has what each token looks at in one array, without a number where nothing is known', async () => {
    const run = smallRun('running');
    await exportTrace(run, inFolder('small.npz'));
    const entry = storedEntries(await readFile(inFolder('small.npz'))).get('looks.npy')!;
    const { tokens, model } = run.trace;
    const header = npyHeader('F32', [tokens.length, model.layers, 6]);
    const numbers = Float32Array.from({ length: tokens.length * model.layers * 6 }, (_, i) =>
      entry.readFloatLE(header.length + i * 4),
    );
    for (const [i, { looks }] of tokens.entries()) {
      const row = numbers.subarray(i * model.layers * 6, (i + 1) * model.layers * 6);
      if (looks === undefined) expect(row.every(Number.isNaN)).toBe(true);
      else expect(row).toEqual(looks.data);
    }
  });

  it('is the same when it is made twice', async () => {
    await exportTrace(smallRun(), inFolder('a.npz'));
    await exportTrace(smallRun(), inFolder('b.npz'));
    expect(await readFile(inFolder('a.npz'))).toEqual(await readFile(inFolder('b.npz')));
  });

  it('has the headers that numpy.save writes', () => {
    // By NumPy 2: np.save of zeros of these types and shapes, up to the spaces.
    const expected = [
      ['F16', [2, 3], "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }"],
      ['U8', [5], "{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }"],
      ['F32', [1, 2, 3], "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }"],
    ] as const;
    for (const [dtype, shape, text] of expected) {
      const header = Buffer.from(npyHeader(dtype, shape)).toString('latin1');
      expect(header).toBe(`\x93NUMPY\x01\x00v\x00${text}`.padEnd(127) + '\n');
    }
  });
});

/** Entries of a zip whose entries are stored, by the central directory (PKWARE's APPNOTE, 4.3). */
function storedEntries(zip: Buffer): Map<string, Buffer> {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const entries = new Map<string, Buffer>();
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [size, name, extra] = [
      zip.readUInt32LE(at + 24),
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
    ];
    expect(zip.readUInt16LE(at + 10)).toBe(0);
    const local = zip.readUInt32LE(at + 42);
    const data = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    entries.set(zip.toString('utf8', at + 46, at + 46 + name), zip.subarray(data, data + size));
    at += 46 + name + extra + zip.readUInt16LE(at + 32);
  }
  return entries;
}
