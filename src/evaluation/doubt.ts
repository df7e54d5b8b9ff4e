/** What the causal tests say of each sample's run: a line of a file that `ilvr doubt` goes on with. */

import * as z from 'zod';
import { INTERVENTION_KINDS } from '../analysis/intervention.ts';
import { ANALYSES, type AnalysisResult } from '../analysis/table.ts';
import type { Sample } from '../dataset/samples.ts';
import { summariesOf, verdictOf } from '../evidence/causality.ts';
import type { ResultsKind } from './results.ts';

const stated = z.strictObject({
  answer: z.string().optional(),
  /** Absent where the sample has no truth. */
  right: z.boolean().optional(),
});

const entry = z.strictObject({
  /** Of the sample in its file, counted from 1. */
  line: z.int().min(1),
  mapId: z.string().optional(),
  /** Of the model's own latents; absent where there are none to test. */
  own: stated.optional(),
  kinds: z.array(
    z.strictObject({
      kind: z.enum(INTERVENTION_KINDS),
      /** Nats, over the draws: mean KL per word, and change of the answer's log-probability. */
      kl: z.number(),
      answer: z.number().optional(),
      /** Of the first draw. */
      first: stated,
    }),
  ),
  finding: z.enum(['needed', 'mixed', 'words', 'nothing', 'open']).optional(),
  /** Why it was not tested. */
  error: z.string().optional(),
});

export type DoubtEntry = z.output<typeof entry>;

/** The version of the tests is one of the settings, so that a file of an older one is not gone on with. */
export const DOUBT: ResultsKind<DoubtEntry> = {
  format: 'ilvr-doubt',
  what: 'figures of `ilvr doubt`',
  option: '--resume',
  entry,
};

/** What decides the figures besides a run's own settings. */
export const DOUBT_SETTINGS = { tests: `causality ${ANALYSES.causality.version}` } as const;

type Named = Pick<Sample, 'line' | 'mapId'>;

/** @param result absent for a run without latents */
export function doubtEntry(sample: Named, result: AnalysisResult<'causality'> | undefined): DoubtEntry {
  const named = nameOf(sample);
  if (result === undefined) return { ...named, kinds: [] };
  const kinds = summariesOf(result).flatMap(({ kind, kl, answer }, i): DoubtEntry['kinds'] => {
    const [first] = result.variants[i]!.free;
    if (kl === undefined || first === undefined) return [];
    return [{ kind, kl: kl.mean, ...(answer && { answer: answer.mean }), first: statedOf(first) }];
  });
  return { ...named, own: statedOf(result.own ?? {}), kinds, finding: verdictOf(result).finding };
}

/** One that could not be tested. */
export function untested(sample: Named, error: string): DoubtEntry {
  return { ...nameOf(sample), kinds: [], error };
}

function nameOf({ line, mapId }: Named): Pick<DoubtEntry, 'line' | 'mapId'> {
  return { line, ...(mapId !== undefined && { mapId }) };
}

function statedOf({ answer, right }: z.output<typeof stated>): z.output<typeof stated> {
  return { ...(answer !== undefined && { answer }), ...(right !== undefined && { right }) };
}
