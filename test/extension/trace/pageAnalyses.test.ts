/** What a page is told of analyses, and what becomes of what it has computed. */

import { describe, expect, test } from 'vitest';
import { CancelledError, UserError } from '../../../src/base/errors.ts';
import { PageAnalyses, type AnalysisMeans } from '../../../src/extension/trace/pageAnalyses.ts';
import type { AnalysisPart } from '../../../src/protocol/panelAnalyses.ts';
import { EngineDiedError } from '../../../src/client/ends.ts';
import { inputOf } from '../../../src/client/analyseRequest.ts';
import { analysedRun, keepAnalysis } from '../../../src/trace/analyses.ts';
import type { MemoryContainer } from '../../../src/traceFile/container.ts';
import { sampleResult } from '../../webview/sampleAnalyses.ts';
import { sampleRun } from '../../webview/sampleTrace.ts';

/** A page's analyses over a trace of its own; what is kept goes into that trace. */
function opened(means: Partial<AnalysisMeans> = {}, size: Parameters<typeof sampleRun>[0] = {}) {
  const open = sampleRun(size);
  const { trace } = open;
  const told: AnalysisPart[] = [];
  const all: AnalysisMeans = { chooseOther: async () => undefined, ...means };
  const keep: AnalysisMeans['keep'] = async (make) =>
    keepAnalysis(trace, await make(open.container as MemoryContainer));
  const analyses = new PageAnalyses(
    (work) => work(open),
    { keep, ...all },
    (part) => told.push(part),
  );
  return { open, trace, told, analyses, run: trace.id };
}
const lens = (run: string, id = 0) => ({ id, run, method: 'lens' as const });

describe('a page', () => {
  test('without a model is told what computes an analysis, and cannot have it computed', async () => {
    const { analyses, run } = opened();
    const answer = await analyses.analysis({ run, method: 'relevance' });
    expect(answer).toMatchObject({ canCompute: false, command: 'ilvr analyse TRACE relevance --save' });
    expect(answer.about.limits).toContain('first order');
    expect(answer.found).toBeUndefined();
    await expect(analyses.analyse(lens(run))).rejects.toThrow(CancelledError);
  });

  test('has it computed, hears of parts, and finds it kept with who computed it', async () => {
    const { trace, analyses, told, run } = opened({
      compute: async (request, { progress, found }) => {
        progress('half');
        const result = sampleResult(trace, 'lens');
        found(result);
        expect(request).toMatchObject({ name: 'lens', parameters: { words: 20 } });
        expect(request.images).toHaveLength(trace.pictures.length);
        const device = trace.device;
        return { status: 'complete', result, model: { name: 'm', fingerprint: 'f' }, device };
      },
    });
    const computed = await analyses.analyse(lens(run, 4));
    expect(told.map(({ id, progress }) => [id, progress])).toEqual([
      [4, 'half'],
      [4, undefined],
    ]);
    const kept = await analyses.analysis({ run, method: 'lens' });
    expect(kept).toEqual(computed);
    expect(kept.found).toMatchObject({ status: 'complete', model: 'm', device: 'cpu (sample)' });
    expect(kept.found!.result).toEqual(sampleResult(trace, 'lens'));
  });

  test('asks about the answer that a samples file knew, and keeps with what it was asked', async () => {
    const truth = { answer: 'RRD' };
    const { trace, analyses, run } = opened({
      truth: async () => truth,
      compute: async ({ parameters }) => {
        expect(parameters).toMatchObject({ truth, repeats: 2 });
        const { device } = trace;
        const model = { name: 'm', fingerprint: 'f' };
        return { status: 'complete', result: sampleResult(trace, 'causality'), model, device };
      },
    });
    await analyses.analyse({ id: 1, run, method: 'causality', parameters: { repeats: 2 } });
    expect(trace.analyses![0]!.parameters).toMatchObject({ truth });
  });

  test('that cancels gets what was found by then, kept as partial', async () => {
    const page = opened({
      compute: async (_request, _heard, signal) => {
        await page.analyses.cancelAnalysis(7);
        expect(signal.aborted).toBe(true);
        return { status: 'cancelled', result: sampleResult(page.trace, 'lens') };
      },
    });
    expect((await page.analyses.analyse(lens(page.run, 7))).found!.status).toBe('partial');
    expect(page.trace.analyses![0]!.status).toBe('partial');
  });

  test('whose engine dies in the middle is told, and what was found by then is kept', async () => {
    const { trace, analyses, run } = opened({
      compute: async (_request, { found }) => {
        found(sampleResult(trace, 'lens'));
        throw new EngineDiedError('signal SIGKILL');
      },
    });
    await expect(analyses.analyse(lens(run))).rejects.toThrow(/SIGKILL.*What was computed so far is kept/);
    const { found } = await analyses.analysis({ run, method: 'lens' });
    expect(found).toMatchObject({ status: 'partial', model: trace.model.name });
  });

  test('is shown what another version computed as that, and is told of it where it has another form', async () => {
    const { trace, analyses, run } = opened({
      compute: async () => ({
        status: 'complete',
        result: sampleResult(trace, 'lens'),
        model: trace.model,
        device: trace.device,
      }),
    });
    await analyses.analyse(lens(run));
    const [kept] = trace.analyses!;
    kept!.version = 99;
    const { createdAt } = kept!;
    const other = { version: 99, today: 1, createdAt };
    const answer = await analyses.analysis({ run, method: 'lens' });
    expect([answer.other, answer.found?.status]).toEqual([other, 'complete']);
    kept!.result = { rows: 'of another form' };
    const unknown = await analyses.analysis({ run, method: 'lens' });
    expect([unknown.other, unknown.found]).toEqual([other, undefined]);
    // What is computed today stands before it.
    await analyses.analyse({ ...lens(run), parameters: { words: 3 } });
    expect((await analyses.analysis({ run, method: 'lens' })).other).toBeUndefined();
  });

  test('compares with another run, cosine by cosine', async () => {
    const other = sampleRun({ blocks: 2 });
    const run = await analysedRun(other.trace, other.container);
    const input = await inputOf(other.trace, other.container);
    const { open, analyses, run: id } = opened({ chooseOther: async () => ({ id: 'other', run, input }) });
    const { found } = await analyses.analyse({ id: 0, run: id, method: 'similarity' });
    const own = await analysedRun(open.trace, open.container);
    const { result } = found!;
    if (!('other' in result) || result.other === undefined) throw new Error('no comparison');
    const [a, b] = [own.latents[5]!.vector, run.latents[3]!.vector];
    const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
    const expected = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    expect(result.other.cosines.shape).toEqual([12, 8]);
    expect(result.other.cosines.data[5 * 8 + 3]).toBeCloseTo(expected, 5);
    expect(found!.other).toBe('other');
  });

  test('cannot compare vectors of different sizes', async () => {
    const other = sampleRun({ hiddenSize: 8 });
    const run = await analysedRun(other.trace, other.container);
    const input = await inputOf(other.trace, other.container);
    const { analyses, run: id } = opened({ chooseOther: async () => ({ id: 'other', run, input }) });
    const asked = analyses.analyse({ id: 0, run: id, method: 'similarity' });
    await expect(asked).rejects.toThrow('cannot be compared');
  });

  test('that asks about another trace, or for what is no analysis, is refused', async () => {
    const { analyses, run } = opened();
    await expect(analyses.analysis({ run: 'elsewhere', method: 'lens' })).rejects.toThrow(UserError);
    await expect(analyses.analysis({ run, method: 'everything' })).rejects.toThrow(UserError);
  });
});
