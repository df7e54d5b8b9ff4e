/** Divergence: both runs are read once more, and their distributions compared where they wrote the same words. */

import type { AnalysisResult } from '../../analysis/table.ts';
import { UserError } from '../../base/errors.ts';
import { align } from '../../comparison/align.ts';
import { logProbabilityOf } from '../../inference/logitRules.ts';
import { replay } from '../../inference/replay.ts';
import type { NumericArray } from '../../tensor/array.ts';
import { checkReplay, type ModelRun, type RunnerContext } from './modelRun.ts';

type Word = AnalysisResult<'divergence'>['words'][number];

/** Rows of both runs that go through the head at once. */
const ROWS = 16;

/** @throws UserError without a second run */
export async function runDivergence(
  of: ModelRun,
  other: ModelRun | undefined,
  context: RunnerContext<'divergence'>,
): Promise<AnalysisResult<'divergence'>> {
  if (other === undefined) {
    throw new UserError({
      problem: 'A divergence is between two runs, and only one was given',
      remedy: 'Choose another run of the same model, or give --other on the command line.',
    });
  }
  const pairs = align(of.run, other.run, true).words;
  const a = await statesBefore(
    of,
    pairs.map((pair) => pair.a),
    context,
  );
  const b = await statesBefore(
    other,
    pairs.map((pair) => pair.b),
    context,
  );
  const words: Word[] = [];
  for (let first = 0; first < pairs.length; first += ROWS) {
    const count = Math.min(ROWS, pairs.length - first);
    const [one, two] = [await logitsOf(of, a, first, count), await logitsOf(other, b, first, count)];
    for (let i = 0; i < count; i++) {
      const pair = pairs[first + i]!;
      words.push({ ...pair, ...divergences(one[i]!, two[i]!, of.run.tokens[pair.a]!.id) });
    }
    context.found({ words: [...words] });
    context.progress({ code: 'compare-words' }, words.length / pairs.length);
    await context.pause();
  }
  return { words };
}

/** The states from which tokens were chosen, (tokens, C). */
async function statesBefore(
  of: ModelRun,
  tokens: readonly number[],
  { progress, pause }: RunnerContext<'divergence'>,
): Promise<NumericArray> {
  const { model, sequence } = of;
  const width = model.checkpoint.config.text.hiddenSize;
  const data = new Float32Array(tokens.length * width);
  // A state is one before the token that is chosen from it.
  const rowAt = new Map(tokens.map((token, row) => [sequence.promptLength + token - 1, row]));
  const end = Math.max(0, ...rowAt.keys()) + 1;
  for await (const part of replay(model, sequence, { end })) {
    checkReplay(of, part);
    const { chosen } = part.following;
    const count = chosen.shape[0]!;
    for (let i = 0; i < count; i++) {
      const row = rowAt.get(part.first + i);
      if (row !== undefined) data.set(chosen.data.subarray(i * width, (i + 1) * width), row * width);
    }
    progress({ code: 'read-runs' }, (part.first + count) / end);
    await pause();
  }
  return { shape: [tokens.length, width], data };
}

async function logitsOf(
  { model }: ModelRun,
  { shape, data }: NumericArray,
  first: number,
  count: number,
): Promise<Float32Array[]> {
  const width = shape[1]!;
  const rows = { shape: [count, width], data: data.subarray(first * width, (first + count) * width) };
  const { data: logits } = await model.logits(rows);
  const size = logits.length / count;
  return Array.from({ length: count }, (_, i) => logits.subarray(i * size, (i + 1) * size));
}

/** Both divergences of two rows of logits, in double precision. */
export function divergences(a: Float32Array, b: Float32Array, id: number): Omit<Word, 'a' | 'b'> {
  const [logA, logB] = [logProbabilityOf(a, id), logProbabilityOf(b, id)];
  // log p is the logit less the same number for every word of a row.
  const [lessA, lessB] = [a[id]! - logA, b[id]! - logB];
  let [kl, reverse] = [0, 0];
  for (let word = 0; word < a.length; word++) {
    const [one, two] = [a[word]! - lessA, b[word]! - lessB];
    kl += Math.exp(one) * (one - two);
    reverse += Math.exp(two) * (two - one);
  }
  // Rounding alone makes either less than nothing.
  return { kl: Math.max(0, kl), reverse: Math.max(0, reverse), logA, logB };
}
