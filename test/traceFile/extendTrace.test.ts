/** Adding to traces that lie on the disk. */

import { existsSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockFile } from '../../src/files/lock.ts';
import {
  analysedRun,
  keepAnalysis,
  keptAnalysis,
  loadResult,
  storedAnalysis,
} from '../../src/trace/analyses.ts';
import { computeSimilarity } from '../../src/analysis/similarity.ts';
import { readArray } from '../../src/trace/arrays.ts';
import { TRACE_VERSION } from '../../src/trace/format.ts';
import { extendTrace } from '../../src/traceFile/extendTrace.ts';
import { writeManifest } from '../../src/traceFile/manifest.ts';
import { namedArrays } from '../../src/traceFile/npz.ts';
import { openTrace } from '../../src/traceFile/openTrace.ts';
import { temporaryFolder } from '../fixtures/cli.ts';
import { oneFile } from '../fixtures/reopened.ts';
import { smallRun, type SmallStatus } from '../fixtures/smallTrace.ts';

const KEY = { method: 'similarity' as const, parameters: { collapse: 0.95 } };

/** A trace in two files. */
async function pair(status: SmallStatus = 'complete'): Promise<{ file: string; arrays: string }> {
  const run = smallRun(status);
  const folder = temporaryFolder();
  const [file, arrays] = [join(folder, 'run.ilvr.json'), join(folder, 'run.ilvr.bin')];
  writeFileSync(arrays, await run.container.read(0, run.trace.arrays.bytes));
  writeFileSync(file, writeManifest(run.trace, { file: 'run.ilvr.bin' }));
  return { file, arrays };
}

async function single(): Promise<string> {
  const file = join(temporaryFolder(), 'run.ilvr.json');
  writeFileSync(file, await oneFile(smallRun()));
  return file;
}

async function addSimilarity(file: string, collapse = KEY.parameters.collapse): Promise<void> {
  const run = await openTrace(file);
  const key = { ...KEY, parameters: { collapse } };
  const result = computeSimilarity([await analysedRun(run.trace, run.container)], key.parameters);
  await run.close();
  await extendTrace(file, async (trace, sink) => {
    keepAnalysis(trace, await storedAnalysis(key, result, { status: 'complete' }, sink));
  });
}

/** What stands in the trace afterwards. */
async function check(file: string): Promise<void> {
  const run = await openTrace(file);
  const { cosines } = await loadResult('similarity', keptAnalysis(run.trace, KEY)!, run.trace, run.container);
  expect(cosines.shape).toEqual([4, 4]);
  expect(cosines.data[0]).toBeCloseTo(1, 6);
  const expected = smallRun();
  const [vector, own] = [run, expected].map(({ trace }) => trace.latents[2]!.vector);
  expect((await readArray(run.container, vector!)).data).toEqual(
    (await readArray(expected.container, own!)).data,
  );
  await run.close();
}

async function countIn(file: string): Promise<number> {
  const run = await openTrace(file);
  await run.close();
  return run.trace.analyses!.length;
}

describe('an analysis is added', () => {
  it('to a trace in one file, which stays one', async () => {
    const file = await single();
    await addSimilarity(file);
    await check(file);
    expect(await countIn(file)).toBe(1);
  });

  it('to a trace in two files, whose arrays are only added to', async () => {
    const { file, arrays } = await pair();
    const before = readFileSync(arrays);
    await addSimilarity(file);
    await check(file);
    const after = readFileSync(arrays);
    expect(after.length).toBeGreaterThan(before.length);
    expect(after.subarray(0, before.length)).toEqual(before);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      arrays: { bytes: after.length, file: 'run.ilvr.bin' },
    });
  });

  it('twice, and the second takes the place of the first', async () => {
    const { file } = await pair();
    await addSimilarity(file);
    await addSimilarity(file);
    await check(file);
    expect(await countIn(file)).toBe(1);
  });

  it('at once by one program, and all are kept', async () => {
    for (const file of [(await pair()).file, await single()]) {
      const refused = extendTrace(file, () => Promise.reject(new Error('no')));
      const wishes = [0.9, 0.8, 0.7].map((collapse) => addSimilarity(file, collapse));
      await Promise.all([expect(refused).rejects.toThrow('no'), ...wishes]);
      const run = await openTrace(file);
      const kept = run.trace.analyses!.map(({ parameters }) => Number(parameters['collapse']));
      expect(kept.toSorted((a, b) => a - b)).toEqual([0.7, 0.8, 0.9]);
      await run.close();
    }
  });

  it('after bytes that a program left behind when it died before its manifest', async () => {
    const { file, arrays } = await pair();
    const before = readFileSync(arrays);
    writeFileSync(arrays, Buffer.concat([before, Buffer.from('left behind')]));
    await addSimilarity(file);
    await check(file);
  });

  it('to a trace of version 1, which is one of today afterwards', async () => {
    const file = join(temporaryFolder(), 'old.ilvr.json');
    writeFileSync(file, readFileSync(new URL('version1.ilvr.json', import.meta.url)));
    await addSimilarity(file);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: TRACE_VERSION });
    expect(await countIn(file)).toBe(1);
  });
});

describe('nothing is added, and the trace stays,', () => {
  it('where the change fails', async () => {
    const { file } = await pair();
    const before = readFileSync(file, 'utf8');
    const fails = extendTrace(file, async (_, sink) => {
      await sink.add('F32', [1], new Float32Array(1));
      throw new Error('no more');
    });
    await expect(fails).rejects.toThrow('no more');
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(existsSync(`${file}.lock`)).toBe(false);
    await addSimilarity(file);
    await check(file);
  });

  it('while the run goes on', async () => {
    const { file } = await pair('running');
    await expect(extendTrace(file, async () => undefined)).rejects.toThrow('a run that goes on');
  });

  it('while another program adds to it', async () => {
    const { file } = await pair();
    const unlock = await lockFile(file);
    await expect(extendTrace(file, async () => undefined)).rejects.toThrow();
    await unlock();
    await addSimilarity(file);
  });
});

it('an exported NPZ has the arrays of analyses under plain names, whatever their keys are', () => {
  const { trace } = smallRun();
  const ref = { $array: trace.latents[0]!.vector };
  const result = { words: { ids: ref }, '../../up': ref, '../../u p': [ref], ______u_p: [ref] };
  trace.analyses = [
    {
      method: 'lens',
      version: 1,
      createdAt: trace.createdAt,
      status: 'complete',
      parameters: {},
      result,
    },
  ];
  const names = namedArrays(trace).map(({ name }) => name);
  expect(names.slice(-4)).toEqual([
    'analysis_000.words.ids',
    'analysis_000.______up',
    'analysis_000.______u_p.0',
    'analysis_000.______u_p.0_2',
  ]);
});

it.runIf(process.platform !== 'win32')(
  'what a manifest names by a link is read, and never added to',
  async () => {
    const { file, arrays } = await pair();
    const elsewhere = join(temporaryFolder(), 'somebody.bin');
    renameSync(arrays, elsewhere);
    symlinkSync(elsewhere, arrays);
    const before = readFileSync(elsewhere);
    await expect(addSimilarity(file)).rejects.toThrow(/added to arrays that are elsewhere.*found a link/);
    expect(readFileSync(elsewhere)).toEqual(before);
  },
);
