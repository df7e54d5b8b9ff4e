/**
 * Tests of a sample's run as its row shows them: one figure each of the analyses `causality` and `faithfulness`, with
 * their usual parameters. docs/method.md says what they are.
 */

import { ANALYSES, type AnalysisResult } from '../analysis/table.ts';
import { summariesOf } from '../evidence/causality.ts';
import { scoresOf } from '../evidence/faithfulness.ts';
import type { SampleTests } from './results.ts';

/** What is asked of a run; what is left out is the analysis' default. */
export const TESTS = {
  /** Nothing is fed at the latents' places: the markers alone. */
  causality: { variants: ['markers'] },
  /** Of the first latent, by its attention. */
  faithfulness: {},
} as const;

/** Tests of another version are made again. */
export const TESTS_VERSION = `${ANALYSES.causality.version}.${ANALYSES.faithfulness.version}`;

/** Mean KL(own ‖ without latents) per word, in nats; absent where no word follows the latents. */
export function klWithoutLatents(result: AnalysisResult<'causality'>): Pick<SampleTests, 'kl'> {
  const kl = summariesOf(result)[0]?.kl?.mean;
  return kl === undefined ? {} : { kl };
}

/** Score on the next state, with its interval; absent where the map has no order. */
export function mapFaithfulness({
  latents: [latent],
  fractions,
}: AnalysisResult<'faithfulness'>): Pick<SampleTests, 'faithfulness'> {
  const map = latent && scoresOf(latent.state, fractions.data).map;
  return map === undefined ? {} : { faithfulness: map };
}
