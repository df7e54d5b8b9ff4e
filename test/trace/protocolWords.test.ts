/** How a model thinks, and how its blocks ended, in the words of headers and documents. */

import { expect, it } from 'vitest';
import { FAMILIES, familyOf } from '../../src/model/families/all.ts';
import { describeProtocol } from '../../src/trace/protocolWords.ts';
import type { TraceProtocol } from '../../src/trace/schema.ts';
import { describeEnd } from '../../src/trace/steps.ts';

/** A family's record as a trace has it, with eight latents where a checkpoint or a setting says how many. */
function protocolOf(name: string): TraceProtocol {
  const { record } = familyOf(name)!;
  const count = 'latents' in record.count ? record.count.latents : 8;
  return { ...record, tokens: {}, count, countFrom: record.count.from };
}

it.each([
  ['ILVR', 'ILVR · 8 latents after the start token, end token put in'],
  ['Monet', 'Monet · up to 10 latents in place of the start token, its own ids, ends itself or after 10'],
  ['CoVT', 'CoVT · its latents are ordinary tokens; nothing is fed back'],
])('%s is said in a line', (name, line) => {
  expect(describeProtocol(protocolOf(name))).toBe(line);
});

it('a block with all its latents is of fixed length only where no block ends itself', () => {
  const ends = FAMILIES.map(({ record: { name } }) => [
    name,
    describeEnd('forced', { protocol: protocolOf(name) }),
  ]);
  expect(Object.fromEntries(ends)).toMatchObject({
    ILVR: 'of fixed length',
    Monet: 'ended at its limit',
    SkiLa: 'ended at its limit',
    LVR: 'of fixed length',
  });
});
