/** Relevance: rollout by a replay with all attention, and gradient × attention by the way back. */

import { answerTokens } from '../../analysis/answer.ts';
import type { AnalysisParameters, AnalysisResult } from '../../analysis/table.ts';
import { UserError } from '../../base/errors.ts';
import { walkBack, type LayerFlow, type WalkOptions } from '../../inference/backward.ts';
import { logProbabilities, replay } from '../../inference/replay.ts';
import { followed, HeadMeans, stackRows } from '../../inference/rollout.ts';
import { availableMemory, inBytes } from '../../process/memory.ts';
import { dot, type NumericArray } from '../../tensor/array.ts';
import { checkReplay, fedPlaces, positionOf, type ModelRun, type RunnerContext } from './modelRun.ts';

type Result = AnalysisResult<'relevance'>;

/** What is explained: words by their index in the sequence. */
interface Explained {
  words: number[];
  /** T: positions before the last of them. */
  length: number;
}

export async function runRelevance(
  of: ModelRun,
  { methods, residual, tokens, ...gradients }: AnalysisParameters<'relevance'>,
  context: RunnerContext<'relevance'>,
): Promise<Result> {
  const chosen = wordsOf(of, tokens);
  const words = chosen.map((token) => of.sequence.promptLength + token);
  const explained = { words, length: words.at(-1)! };
  const text = chosen.map((token) => of.run.tokens[token]!.text).join('');
  const read = await readAttention(of, explained, methods.includes('rollout'), context);
  const answer = { tokens: chosen, text, logProbability: read.logProbability };
  const rollout = read.means && rolloutOf(of, explained, read.means, residual);
  const begun: Result = { answer, ...(rollout !== undefined && { rollout }) };
  if (!methods.includes('gradient')) return begun;
  context.found(begun);
  return { ...begun, gradient: await gradientOf(of, explained, gradients, context) };
}

function wordsOf({ run, sequence }: ModelRun, range: readonly [number, number] | undefined): number[] {
  const fed = sequence.ids.length - sequence.promptLength;
  const words =
    range === undefined
      ? answerTokens(run)
      : [...run.tokens.keys()].filter(
          (i) => i >= range[0] && i <= range[1] && run.tokens[i]!.kind === 'text',
        );
  const known = words.filter((i) => i < fed);
  if (known.length > 0) return known;
  throw new UserError({
    problem: 'There are no words to explain',
    expected: 'at least one word of the answer',
    found: range === undefined ? 'none in this run' : `none from token ${range[0]} to ${range[1]}`,
    remedy: 'Choose words of the answer, or a run that wrote some.',
  });
}

/** One replay: the words' probability and, for rollout, all attention. */
async function readAttention(
  of: ModelRun,
  { words, length }: Explained,
  withAttention: boolean,
  { progress, pause }: RunnerContext<'relevance'>,
): Promise<{ logProbability: number; means?: HeadMeans }> {
  const { model, sequence } = of;
  const { layers } = model.checkpoint.config.text;
  if (withAttention) checkRoom(HeadMeans.memory(layers, length), length);
  const means = withAttention ? new HeadMeans(layers, length) : undefined;
  const attention = new Set(withAttention ? Array.from({ length }, (_, i) => i) : []);
  let logProbability = 0;
  for await (const part of replay(model, sequence, { attention, end: length })) {
    checkReplay(of, part);
    means?.add(part);
    const { chosen: from } = part.following;
    const [count = 0, width = 0] = from.shape;
    // A word is chosen at the position before it.
    const chosen = words.filter((word) => word - 1 >= part.first && word - 1 < part.first + count);
    const rows = chosen.map((word) => {
      const start = (word - 1 - part.first) * width;
      return from.data.subarray(start, start + width);
    });
    const ids = chosen.map((word) => sequence.ids[word]!);
    const logs = await logProbabilities(model, stackRows(rows, width), ids);
    logProbability += logs.reduce((sum, value) => sum + value, 0);
    progress({ code: 'read-run' }, (part.first + count) / length);
    await pause();
  }
  return { logProbability, ...(means !== undefined && { means }) };
}

function checkRoom(needed: number, length: number): void {
  const available = availableMemory();
  if (needed <= available) return;
  throw new UserError({
    problem: 'There is not enough memory for rollout',
    expected: `about ${inBytes(needed)} for the attention of ${length} tokens`,
    found: `${inBytes(available)} left on this machine`,
    remedy: 'Make a run with a smaller pixel budget (--max-pixels), or free memory.',
  });
}

function rolloutOf(
  of: ModelRun,
  { words, length }: Explained,
  means: HeadMeans,
  residual: number,
): NonNullable<Result['rollout']> {
  const none = new Float32Array(length);
  const latents = of.run.latents.map((latent) => {
    const position = positionOf(of, latent);
    return position < length ? means.rollout([position], residual) : none;
  });
  const answer = means.rollout(
    words.map((word) => word - 1),
    residual,
  );
  const places = fedPlaces(of);
  return {
    answer: { shape: [length], data: answer },
    followed: { shape: [length], data: followed(means, answer, places, residual) },
    latents: stackRows(latents, length),
  };
}

async function gradientOf(
  of: ModelRun,
  { words, length }: Explained,
  { objective, follow }: Pick<AnalysisParameters<'relevance'>, 'objective' | 'follow'>,
  { progress, pause }: RunnerContext<'relevance'>,
): Promise<NonNullable<Result['gradient']>> {
  const { model, run, sequence } = of;
  const { layers } = model.checkpoint.config.text;
  const positions = run.latents.map((latent) => positionOf(of, latent));
  const keys = new Float32Array(layers * length);
  const latents = new Float32Array(layers * positions.length * length);
  let relevance = new Float64Array(length);
  for (const word of words) relevance[word - 1]! += 1 / words.length;
  progress({ code: 'walk-from-answer' }, 0);
  const onLayer: WalkOptions['onLayer'] = async ({ layer, flow, positive }) => {
    keys.set(columnSums(flow), layer * length);
    positions.forEach((position, i) => {
      if (position >= length) return;
      const row = flow.data.subarray(position * length, (position + 1) * length);
      latents.set(row, (layer * positions.length + i) * length);
    });
    relevance = passedOn(relevance, positive);
    progress({ code: 'walk-from-answer' }, (layers - layer) / layers);
    await pause();
  };
  const onLatent = async (index: number): Promise<void> => {
    progress({ code: 'walk-from-latents' }, index / positions.length);
    await pause();
  };
  const options = { objective, onLayer, follow: follow ? fedPlaces(of) : [], onLatent };
  const back = await walkBack(model, sequence, words, options);
  return {
    keys: { shape: [layers, length], data: keys },
    latents: { shape: [layers, positions.length, length], data: latents },
    input: timesInput(of, back.gradient, back.added),
    ...(follow && { followed: timesInput(of, back.followed, back.followedAdded) }),
    relevance: { shape: [length], data: Float32Array.from(relevance) },
  };
}

/** Gradient × what is fed, by position, with what the first layers add there. */
function timesInput(
  { sequence }: ModelRun,
  { shape, data }: NumericArray,
  added: Float32Array,
): NumericArray {
  const [length = 0, width = 0] = shape;
  const products = Float32Array.from(
    added,
    (more, i) => more + dot(data, i * width, sequence.embeddings.data, i * width, width),
  );
  return { shape: [length], data: products };
}

/** By key, over all queries. */
function columnSums({ shape, data }: LayerFlow['flow']): Float32Array {
  const length = shape[1]!;
  const sums = new Float64Array(length);
  data.forEach((value, i) => (sums[i % length]! += value));
  return Float32Array.from(sums);
}

/** r + r · Ā: what positions pass on to those that they attend to (Chefer et al., arXiv 2103.15679). */
function passedOn(
  relevance: Float64Array,
  { shape, data }: LayerFlow['positive'],
): Float64Array<ArrayBuffer> {
  const length = shape[1]!;
  const next = Float64Array.from(relevance);
  relevance.forEach((value, query) => {
    if (value === 0) return;
    for (let key = 0; key <= query; key++) next[key]! += value * data[query * length + key]!;
  });
  return next;
}
