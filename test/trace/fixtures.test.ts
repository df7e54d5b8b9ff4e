import { describe, expect, it } from 'vitest';
import { checkReferences } from '../../src/trace/references.ts';
import { readArray } from '../../src/trace/arrays.ts';
import { lookAt } from '../../src/trace/looks.ts';
import { answerText, blockSummary, stepsOf } from '../../src/trace/steps.ts';
import type { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { GOLDENS, hasGoldens } from '../fixtures/goldens.ts';
import { goldenRun } from '../fixtures/goldenTrace.ts';
import { reopened } from '../fixtures/reopened.ts';
import { smallRun, smallTrace } from '../fixtures/smallTrace.ts';

const STATUSES = ['running', 'complete', 'cancelled', 'failed'] as const;

describe('the small trace', () => {
  it.each(STATUSES)('survives writing and reading as %s', async (status) => {
    const run = smallRun(status);
    checkReferences(run.trace, 'small');
    expect((await reopened(run)).trace).toEqual(run.trace);
  });

  it('has latents whose attention rows sum to 1', async () => {
    await expectRowsToSumToOne(smallRun());
  });

  it('reads as text, block, text, block, text', () => {
    expect(stepsOf(smallTrace()).map(({ kind }) => kind)).toEqual(['text', 'block', 'text', 'block', 'text']);
  });
});

describe.skipIf(!hasGoldens)(`a golden trace (from ${GOLDENS})`, () => {
  it.each(['map-01', 'map-05', 'map-09'] as const)('of %s survives writing and reading', async (name) => {
    const run = await goldenRun(name);
    checkReferences(run.trace, name);
    expect((await reopened(run)).trace).toEqual(run.trace);
    await expectRowsToSumToOne(run);
  });

  it('holds the answer as text, without markers', async () => {
    const { trace } = await goldenRun('map-05');
    expect(answerText(trace)).toBe('Start (2,1), goal (3,3).\nright\nright\ndown\nAnswer: \\boxed{RRD}');
    expect(blockSummary(trace)).toBe('3 blocks × 8 latents, all of fixed length');
  });

  it('gives an attention map over the six by six tokens of the picture', async () => {
    const { trace, maps } = await goldenRun('map-01');
    const latent = trace.latents[0]!;
    const selector = { kind: 'attention', picture: 'image-1', layer: 'mean', heads: 'mean' } as const;
    await maps.load(selector);
    const map = maps.map(latent, selector);
    expect([map?.rows, map?.columns, map?.values.length]).toEqual([6, 6, 36]);
    const { mass } = lookAt(trace.tokens[latent.token]!, 'mean')!;
    expect(mass.pictures).toBeCloseTo(map!.mass!, 4);
    expect(mass.pictures + mass.prompt + mass.latents + mass.answer).toBeCloseTo(1, 4);
  });
});

async function expectRowsToSumToOne({ trace, container }: OpenTrace): Promise<void> {
  for (const { attention } of trace.latents) {
    const { shape, data } = await readArray(container, attention);
    const keys = shape.at(-1)!;
    for (let row = 0; row < data.length; row += keys) {
      const sum = data.subarray(row, row + keys).reduce((before, value) => before + value, 0);
      // Stored in half precision: each number is off by at most 1 in 2048.
      expect(Math.abs(sum - 1)).toBeLessThan(1 / 2048);
    }
  }
}
