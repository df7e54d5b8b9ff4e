/** What is said of answers that replacements lead to, on results of which each draw is known. */

import { expect, it } from 'vitest';
import { decompositionVerdict } from '../../src/evidence/decomposition.ts';
import { summariesOf, verdictOf } from '../../src/evidence/causality.ts';
import type { AnalysisResult } from '../../src/analysis/table.ts';

type Result = AnalysisResult<'causality'>;
type Written = NonNullable<Result['own']>;

const OWN: Written = { words: ['A'], answer: 'A', blocks: 1 };
const OTHER: Written = { words: ['B'], answer: 'B', difference: 0, blocks: 1 };
/** Came to the limit of tokens before it had stated one. */
const CUT: Written = { words: ['up', 'up'], cut: true, difference: 0, blocks: 1 };
/** Not followed to its end. */
const BEGUN: Written = { words: [], blocks: 1 };

/** Of one word; each kind with its draws. */
function resultOf(draws: Partial<Record<Result['variants'][number]['kind'], Written[]>>): Result {
  const variants = Object.entries(draws).map(([kind, free]) => {
    const numbers = { shape: [free.length, 1], data: new Float32Array(free.length).fill(1) };
    return {
      kind: kind as Result['variants'][number]['kind'],
      forced: { kl: numbers, change: numbers },
      free,
    };
  });
  return { words: [{ token: 0, text: 'A' }], answer: [0], own: OWN, variants };
}

it('counts an answer that is not reached within the limit as lost, and tells how many', () => {
  const result = resultOf({ zero: [OTHER], noise: [CUT, OWN, CUT], mean: [CUT] });
  const [, noise, mean] = summariesOf(result);
  expect(noise).toMatchObject({ followed: 3, unanswered: 2, otherAnswers: 2, changes: true });
  expect(mean).toMatchObject({ followed: 1, unanswered: 1, otherAnswers: 1, changes: true });
  expect(verdictOf(result)).toMatchObject({
    finding: 'needed',
    sentence: 'This answer needs what these latents hold: each of 3 replacements changed it.',
  });
});

it('speaks of one replacement as of one', () => {
  const all = [OTHER, OWN].map((free) => verdictOf(resultOf({ zero: [free] })).sentence);
  expect(all).toEqual([
    'This answer needs what these latents hold: the one replacement that was tried changed it.',
    'What these latents hold moves the words, not the answer: the one replacement that was tried did not change it; KL 1.00 nats per word.',
  ]);
});

it('says nothing of what was not followed', () => {
  const result = resultOf({ zero: [BEGUN] });
  expect(summariesOf(result)[0]).toMatchObject({ followed: 0, unanswered: 0, changes: false });
  expect(verdictOf(result).finding).toBe('open');
});

it('tells answers that become others from those that are not stated at all', () => {
  expect(decompositionVerdict(resultOf({ dummy: [OWN], markers: [OTHER], none: [CUT] })).sentence).toMatch(
    /it becomes another with “markers alone”\. Written freely, none is stated with “no block: format alone”\.$/,
  );
});

it('says where empty markers harm more than no block, so that slots in part only mend that', () => {
  const result = resultOf({ dummy: [OTHER], markers: [OTHER], none: [OTHER] });
  const [, markers, none] = result.variants;
  markers!.forced!.change = { shape: [1, 1], data: new Float32Array([-50]) };
  none!.forced!.change = { shape: [1, 1], data: new Float32Array([-8]) };
  expect(decompositionVerdict(result).sentence).toMatch(
    /rests on the slots \(50\.0 nats\), not on the markers\. Empty markers make it less likely than no block does \(-?−?42\.0 nats\), and slots mend that: against no block whole blocks add 8\.00\. Written/,
  );
  none!.forced!.change = { shape: [1, 1], data: new Float32Array([-51]) };
  expect(decompositionVerdict(result).sentence).not.toContain('mend');
});
