import { describe, expect, it } from 'vitest';
import { checkReferences } from '../../src/trace/references.ts';
import { readTrace, writeTrace } from '../../src/trace/file.ts';
import { answerText, blockSummary, stepsOf } from '../../src/trace/steps.ts';
import { joinHeads, mapOf, massBySource } from '../../src/trace/maps.ts';
import { GOLDENS, hasGoldens } from '../fixtures/goldens.ts';
import { goldenTrace } from '../fixtures/goldenTrace.ts';
import { smallTrace } from '../fixtures/smallTrace.ts';

const STATUSES = ['running', 'complete', 'cancelled', 'failed'] as const;

describe('the small trace', () => {
  it.each(STATUSES)('survives writing and reading as %s', (status) => {
    const trace = smallTrace(status);
    checkReferences(trace, 'small');
    expect(readTrace(writeTrace(trace), 'small')).toEqual(trace);
  });

  it('has latents whose attention rows sum to 1', () => {
    for (const latent of smallTrace().latents) expectRowsToSumToOne(latent.attention);
  });

  it('reads as text, block, text, block, text', () => {
    expect(stepsOf(smallTrace()).map(({ kind }) => kind)).toEqual(['text', 'block', 'text', 'block', 'text']);
  });
});

describe.skipIf(!hasGoldens)(`a golden trace (from ${GOLDENS})`, () => {
  it.each(['map-01', 'map-05', 'map-09'] as const)('of %s survives writing and reading', async (name) => {
    const trace = await goldenTrace(name);
    checkReferences(trace, name);
    expect(readTrace(writeTrace(trace), name)).toEqual(trace);
    for (const latent of trace.latents) expectRowsToSumToOne(latent.attention);
  });

  it('holds the answer as text, without markers', async () => {
    const trace = await goldenTrace('map-05');
    expect(answerText(trace)).toBe('Start (2,1), goal (3,3).\nright\nright\ndown\nAnswer: \\boxed{RRD}');
    expect(blockSummary(trace)).toBe('3 blocks × 8 latents, all of fixed length');
  });

  it('gives an attention map over the six by six tokens of the picture', async () => {
    const trace = await goldenTrace('map-01');
    const latent = trace.latents[0]!;
    const map = mapOf(trace, latent, { kind: 'attention', picture: 'image-1', layer: 'mean', heads: 'mean' });
    expect([map?.rows, map?.columns, map?.values.length]).toEqual([6, 6, 36]);
    const shares = massBySource(trace, joinHeads(latent.attention, 'mean', 'mean'));
    expect(shares.pictures).toBeCloseTo(map!.mass!, 5);
    expect(shares.pictures + shares.prompt + shares.latents + shares.answer).toBeCloseTo(1, 4);
  });
});

function expectRowsToSumToOne({ shape, data }: { shape: number[]; data: Float32Array }): void {
  const keys = shape.at(-1)!;
  for (let row = 0; row < data.length; row += keys) {
    expect(data.subarray(row, row + keys).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4);
  }
}
