/** The lens: states of latents after every layer as words, and beside the states of the patches. */

import type { AnalysisParameters, AnalysisResult } from '../../analysis/table.ts';
import { eachLogits, replay } from '../../inference/replay.ts';
import { logProbabilityOf } from '../../inference/logitRules.ts';
import { normGraph } from '../../model/decoder.ts';
import { floats, floatTensor, openSession } from '../../ort/session.ts';
import { dot, lengthOf, type NumericArray } from '../../tensor/array.ts';
import { checkReplay, positionOf, type ModelRun, type RunnerContext } from './modelRun.ts';

type Words = NonNullable<AnalysisResult<'lens'>['words']>;

/** Latents between two partial results. */
const SHOWN_AT_ONCE = 8;

export async function runLens(
  of: ModelRun,
  { words: count }: AnalysisParameters<'lens'>,
  context: RunnerContext<'lens'>,
): Promise<AnalysisResult<'lens'>> {
  const states = await latentStates(of, context);
  const words = await wordsOf(of, states, count, context);
  return { words, patches: await patchesOf(of, states, context) };
}

/** By latent and row: what was fed, then the state after each layer. */
type LatentStates = Float32Array[][];

async function latentStates(of: ModelRun, { progress, pause }: RunnerContext<'lens'>): Promise<LatentStates> {
  const { model, run, sequence } = of;
  const byPosition = new Map(run.latents.map((latent) => [positionOf(of, latent), [latent.vector]]));
  const positions = new Set(byPosition.keys());
  const end = Math.max(0, ...positions) + 1;
  for await (const part of replay(model, sequence, { states: positions, end })) {
    checkReplay(of, part);
    part.states.positions.forEach((position, i) =>
      byPosition.get(position)!.push(...rowsAt(part.states.values, i)),
    );
    progress({ code: 'read-run' }, (part.first + part.hidden.shape[0]!) / end);
    await pause();
  }
  return [...byPosition.values()];
}

/** Row i of (L, P, C) in every layer. */
function rowsAt({ shape, data }: NumericArray, i: number): Float32Array[] {
  const [layers = 0, count = 0, width = 0] = shape;
  return Array.from({ length: layers }, (_, layer) => {
    const start = (layer * count + i) * width;
    return data.slice(start, start + width);
  });
}

async function wordsOf(
  { model, sequence: { headed } }: ModelRun,
  states: LatentStates,
  count: number,
  { found, progress, pause }: RunnerContext<'lens'>,
): Promise<Words> {
  const { text } = model.checkpoint.config;
  const rows = text.layers + 1;
  const kept = Math.min(count, text.vocabularySize);
  const collected = new CollectedWords(rows, kept, (id) => model.checkpoint.tokenizer.tokenText(id));
  const norm = await openSession(normGraph(text, model.checkpoint.weights), {
    provider: model.provider,
    threads: model.threads,
    weightsFolder: model.checkpoint.weights.root,
    memory: 'heap',
  });
  try {
    for (const [i, [fed, ...after]] of states.entries()) {
      progress({ code: 'read-states' }, i / states.length);
      await pause();
      const shape = [after.length, text.hiddenSize];
      const { hidden } = await norm.run({ states: floatTensor(concatenated(after), shape) });
      const normed = { shape, data: floats(hidden) };
      // As words at these positions are chosen.
      const read = headed?.logits === true ? await model.latentHead(normed) : normed;
      // What was fed is past the norm, and the head, already.
      const data = concatenated([fed!, read.data]);
      await eachLogits(model, { shape: [rows, text.hiddenSize], data }, (logits) => collected.add(logits));
      if ((i + 1) % SHOWN_AT_ONCE === 0) found({ words: collected.result(), patches: [] });
    }
  } finally {
    await norm.release();
  }
  const words = collected.result();
  found({ words, patches: [] });
  return words;
}

class CollectedWords {
  private readonly rows: number;
  private readonly count: number;
  private readonly textOf: (id: number) => string;
  private readonly ids: number[] = [];
  private readonly probabilities: number[] = [];
  private readonly texts: Record<string, string> = {};

  constructor(rows: number, count: number, textOf: (id: number) => string) {
    this.rows = rows;
    this.count = count;
    this.textOf = textOf;
  }

  /** Takes the likeliest of the logits (V) of the next row. */
  add(logits: Float32Array): void {
    for (const id of largest(logits, this.count)) {
      this.ids.push(id);
      this.probabilities.push(Math.exp(logProbabilityOf(logits, id)));
      this.texts[id] ??= this.textOf(id);
    }
  }

  result(): Words {
    const shape = [this.ids.length / this.rows / this.count, this.rows, this.count];
    return {
      ids: { shape, data: Float32Array.from(this.ids) },
      probabilities: { shape, data: Float32Array.from(this.probabilities) },
      texts: { ...this.texts },
    };
  }
}

/** Indices of the largest values, the largest first; of equal ones the first. */
export function largest(values: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (best.length === count && value <= values[best.at(-1)!]!) continue;
    let at = best.length;
    while (at > 0 && values[best[at - 1]!]! < value) at--;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}

/** Reads the prompt once more: its states at all patches and layers would be too many to keep. */
async function patchesOf(
  of: ModelRun,
  states: LatentStates,
  { progress, pause }: RunnerContext<'lens'>,
): Promise<AnalysisResult<'lens'>['patches']> {
  const { model, sequence, pictures } = of;
  const rows = model.checkpoint.config.text.layers + 1;
  const places = pictures.map(({ picture: { id, start, rows: height, columns } }) => {
    const tokens = height * columns;
    const shape = [states.length, rows, tokens];
    const data = new Float32Array(states.length * rows * tokens);
    return { start: start!, tokens, picture: id, cosines: { shape, data } };
  });
  const wanted = new Set(
    places.flatMap(({ start, tokens }) => Array.from({ length: tokens }, (_, i) => start + i)),
  );
  const end = Math.max(0, ...wanted) + 1;
  const lengths = states.map((latent) => latent.map(lengthOf));
  const width = sequence.embeddings.shape[1]!;
  for await (const { first, hidden, states: read } of replay(model, sequence, { states: wanted, end })) {
    read.positions.forEach((position, i) => {
      const { start, tokens, cosines } = places.find((each) => position < each.start + each.tokens)!;
      const fed = sequence.embeddings.data.subarray(position * width, (position + 1) * width);
      [fed, ...rowsAt(read.values, i)].forEach((patch, row) => {
        const length = lengthOf(patch);
        states.forEach((latent, n) => {
          const product = dot(latent[row]!, 0, patch, 0, width) / (length * lengths[n]![row]! || 1);
          cosines.data[(n * rows + row) * tokens + position - start] = product;
        });
      });
    });
    progress({ code: 'compare-patches' }, (first + hidden.shape[0]!) / end);
    await pause();
  }
  return places.map(({ picture, cosines }) => ({ picture, cosines }));
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const data = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}
