/** Scoring of an answer by all readings. */

import type { Sample } from '../dataset/samples.ts';
import { judge, movesIn, releasedPath, simulate, strictMoves } from '../dataset/scoring.ts';
import type { SampleResult } from './results.ts';

/** By walking its plan where there is a map, else by comparing with the sample's own. */
export function score(
  { map, answer }: Pick<Sample, 'map' | 'answer'>,
  text: string,
): Pick<SampleResult, 'answer' | 'verdict' | 'success' | 'strict' | 'released'> {
  const judgement = judge({ map, answer }, text);
  if (map === undefined) return judgement;
  const strict = strictMoves(text);
  return {
    ...judgement,
    strict: strict !== undefined && simulate(map, strict).success,
    released: simulate(map, movesIn(releasedPath(text))).success,
  };
}
