/** Analyses as a trace keeps them. */

import { describe, expect, it } from 'vitest';
import type { AnalysisResult } from '../../src/analysis/table.ts';
import { computeSimilarity } from '../../src/analysis/similarity.ts';
import {
  analysedRun,
  keepAnalysis,
  keptAnalysis,
  loadResult,
  storedAnalysis,
} from '../../src/trace/analyses.ts';
import { MemoryContainer } from '../../src/traceFile/container.ts';
import { readManifest } from '../../src/traceFile/manifest.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { oneFile, reopened } from '../fixtures/reopened.ts';
import { smallRun } from '../fixtures/smallTrace.ts';

const KEY = { method: 'similarity', parameters: { collapse: 0.95 } } as const;

/** A small run that keeps what its latents resemble. */
async function runWithAnalysis(): Promise<{ run: OpenTrace; result: AnalysisResult<'similarity'> }> {
  const run = smallRun();
  const result = computeSimilarity([await analysedRun(run.trace, run.container)], KEY.parameters);
  const kept = await storedAnalysis(KEY, result, { status: 'complete' }, run.container as MemoryContainer);
  keepAnalysis(run.trace, kept);
  run.trace.arrays.bytes = run.container.size;
  return { run, result };
}

describe('an analysis in a trace', () => {
  it('comes out of its file as it went in, arrays included', async () => {
    const { run, result } = await runWithAnalysis();
    const { trace, container } = await reopened(run);
    const kept = keptAnalysis(trace, KEY)!;
    expect(kept).toMatchObject({ method: 'similarity', status: 'complete', parameters: { collapse: 0.95 } });
    expect(await loadResult('similarity', kept, trace, container)).toEqual(result);
    // The manifest refers to numbers; it does not hold them.
    expect(JSON.stringify(kept.result)).toMatch(/"cosines":\{"\$array":\{"dtype":"F32","shape":\[4,4\]/);
  });

  it('is found by method, parameters in any order, and the run compared with', async () => {
    const { run } = await runWithAnalysis();
    const parameters = { b: 1, a: [2] };
    const sink = run.container as MemoryContainer;
    const result = computeSimilarity([await analysedRun(run.trace, run.container)], KEY.parameters);
    keepAnalysis(
      run.trace,
      await storedAnalysis({ ...KEY, parameters }, result, { status: 'partial' }, sink),
    );
    expect(keptAnalysis(run.trace, { ...KEY, parameters: { a: [2], b: 1 } })?.status).toBe('partial');
    expect(keptAnalysis(run.trace, { ...KEY, parameters: { a: [2], b: 2 } })).toBeUndefined();
    expect(keptAnalysis(run.trace, { ...KEY, other: 'another' })).toBeUndefined();
    // Once more under the same key it takes the place of the earlier one.
    keepAnalysis(
      run.trace,
      await storedAnalysis({ ...KEY, parameters }, result, { status: 'complete' }, sink),
    );
    expect(run.trace.analyses!.map(({ status }) => status)).toEqual(['complete', 'complete']);
    // A part does not take the place of the whole.
    keepAnalysis(
      run.trace,
      await storedAnalysis({ ...KEY, parameters }, result, { status: 'partial' }, sink),
    );
    expect(run.trace.analyses!.map(({ status }) => status)).toEqual(['complete', 'complete']);
  });

  it('of another version is not taken for one of today', async () => {
    const { run } = await runWithAnalysis();
    run.trace.analyses![0]!.version = 99;
    const { trace, container } = await reopened(run);
    expect(keptAnalysis(trace, KEY)).toBeUndefined();
    await expect(loadResult('similarity', trace.analyses![0]!, trace, container)).rejects.toThrow(
      /another version of the method: expected version 1, found version 99/,
    );
  });

  it('by a method that nobody knows yet stays in the trace', async () => {
    const { run } = await runWithAnalysis();
    run.trace.analyses![0]!.method = 'of-tomorrow';
    expect((await reopened(run)).trace.analyses![0]!.method).toBe('of-tomorrow');
  });

  it('whose result has lost a part is refused when it is asked for, and the trace opens', async () => {
    const { run } = await runWithAnalysis();
    const { cosines: _, ...rest } = run.trace.analyses![0]!.result as Record<string, unknown>;
    run.trace.analyses![0]!.result = rest;
    const { trace, container } = await reopened(run);
    await expect(loadResult('similarity', trace.analyses![0]!, trace, container)).rejects.toThrow(
      /Similarity of latents in this trace is damaged: expected cosines to be .*, found nothing/,
    );
  });

  it.each<[string, unknown, RegExp]>([
    ['that points beyond the container', { $array: ref(2 ** 30) }, /within the \d+ bytes of the container/],
    ['whose reference is none', { $array: { dtype: 'F32' } }, /analyses\.0\.result/],
    ['that is deeper than any', nested(2000), /more than 12 levels/],
  ])('%s makes the trace a damaged one', async (_, result, message) => {
    const { run } = await runWithAnalysis();
    const json = JSON.parse(await oneFile(run)) as { analyses: { result: unknown }[] };
    json.analyses[0]!.result = result;
    await expect(readManifest(JSON.stringify(json), 'a file')).rejects.toThrow(message);
  });
});

it('a run is the same to analyses before and after its file', async () => {
  const run = smallRun();
  const { trace, container } = await reopened(run);
  const before = await analysedRun(run.trace, run.container);
  expect(await analysedRun(trace, container)).toEqual(before);
  expect(before.latents).toHaveLength(4);
  expect(before.pictures.map(({ id, start }) => [id, start])).toEqual([
    ['image-1', 2],
    ['helper-1', undefined],
  ]);
});

function ref(offset: number): object {
  return { dtype: 'F32', shape: [2], offset, sha256: 'a'.repeat(64) };
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = { in: value };
  return value;
}
