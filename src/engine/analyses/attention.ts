/** Attention of chosen tokens with all heads, by a replay. */

import { MOST_TOKENS } from '../../analysis/attention.ts';
import { answerTokens } from '../../analysis/answer.ts';
import type { AnalysisParameters, AnalysisResult } from '../../analysis/table.ts';
import { UserError } from '../../base/errors.ts';
import { replay } from '../../inference/replay.ts';
import type { NumericArray } from '../../tensor/array.ts';
import { checkReplay, type ModelRun, type RunnerContext } from './modelRun.ts';

type Rows = AnalysisResult<'attention'>['rows'];

export async function runAttention(
  of: ModelRun,
  { tokens }: AnalysisParameters<'attention'>,
  { found, progress, pause }: RunnerContext<'attention'>,
): Promise<AnalysisResult<'attention'>> {
  const { model, run, sequence } = of;
  const chosen = tokens.length > 0 ? tokens : answerTokens(run).slice(-MOST_TOKENS);
  const fed = sequence.ids.length - sequence.promptLength;
  const missing = chosen.find((token) => token >= fed);
  if (missing !== undefined) {
    throw new UserError({
      problem: 'There is no such token in this run',
      expected: `an index below ${fed}`,
      found: String(missing),
    });
  }
  const queries = new Set(chosen.map((token) => sequence.promptLength + token));
  const end = Math.max(0, ...queries) + 1;
  const rows: Rows = [];
  for await (const part of replay(model, sequence, { attention: queries, end })) {
    checkReplay(of, part);
    const { queries: read, values } = part.attention;
    read.forEach((query, i) => {
      rows.push({ token: query - sequence.promptLength, attention: rowOf(values, i, query + 1) });
    });
    if (read.length > 0) found({ rows: [...rows] });
    progress({ code: 'read-run' }, (part.first + part.hidden.shape[0]!) / end);
    await pause();
  }
  return { rows };
}

/** (L, H, Q, keys) → (L, H, kept) of query i */
function rowOf({ shape, data }: NumericArray, i: number, kept: number): NumericArray {
  const [layers = 0, heads = 0, count = 0, keys = 0] = shape;
  const row = new Float32Array(layers * heads * kept);
  for (let group = 0; group < layers * heads; group++) {
    const start = (group * count + i) * keys;
    row.set(data.subarray(start, start + kept), group * kept);
  }
  return { shape: [layers, heads, kept], data: row };
}
