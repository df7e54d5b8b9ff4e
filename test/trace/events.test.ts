import { describe, expect, it } from 'vitest';
import { applyEvent, finishTrace, startTrace } from '../../src/trace/events.ts';
import { blockSummary } from '../../src/trace/steps.ts';
import { smallEvents, smallTrace } from '../fixtures/smallTrace.ts';

describe('folding the events of a run', () => {
  it('counts the latents of a block that never ended', () => {
    expect(smallTrace('cancelled').blocks.map(({ latents, ended }) => [latents, ended])).toEqual([
      [2, 'forced'],
      [1, 'cancelled'],
    ]);
    expect(blockSummary(smallTrace('cancelled'))).toBe(
      '2 blocks of 2 and 1 latents, 1 of fixed length, 1 stopped',
    );
  });

  it('leaves the events as they are, so that they can be folded again', () => {
    const events = smallEvents('running');
    const before = structuredClone(events);
    for (let i = 0; i < 2; i++) {
      const [start, ...rest] = events;
      if (start?.type !== 'start') throw new Error('no start');
      const trace = startTrace(start);
      for (const event of rest) applyEvent(trace, event);
      finishTrace(trace, 'failed', 'the engine died');
      expect(trace.failure).toBe('the engine died');
    }
    expect(events).toEqual(before);
  });

  it('refuses a second start', () => {
    expect(() => applyEvent(smallTrace(), smallEvents()[0]!)).toThrow(/already started/);
  });
});
