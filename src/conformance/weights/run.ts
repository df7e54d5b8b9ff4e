/** One model's run of a question, read once more so that every layer can be held against another model's. */

import { encodePrompt, promptParts } from '../../checkpoint/text/chatTemplate.ts';
import { processImage } from '../../checkpoint/pixels/image.ts';
import { generate } from '../../inference/generate.ts';
import type { NewToken } from '../../inference/generation.ts';
import type { Prompt } from '../../inference/prompt.ts';
import type { Model } from '../../inference/model.ts';
import { eachLogits, replay, sequenceOf, type Continuation } from '../../inference/replay.ts';
import type { PatchGrid } from '../../model/positions.ts';
import type { ImageInput } from '../../protocol/engine.ts';
import type { NumericArray } from '../../tensor/array.ts';

export interface Question {
  question: string;
  images: readonly ImageInput[];
  latents: 'forced' | 'free';
  maxTokens: number;
}

/** A picture's tokens in the sequence. */
export interface PicturePlace {
  name: string;
  /** Index of its first token. */
  start: number;
  rows: number;
  columns: number;
}

/** What a new token was chosen from, and what its own query looked at. */
export interface Reading {
  /** (L, C): the state after every layer at the position before it. */
  states: Float32Array[];
  /** (L, H, keys): attention of that position. */
  attention: NumericArray;
}

export interface WeightsRun {
  prompt: Prompt;
  tokens: readonly NewToken[];
  pictures: readonly PicturePlace[];
  /** (tokens, C), all pictures. */
  features: Float32Array;
  /** (positions, C): what was fed at the positions that are looked at. */
  fed: Float32Array;
  /** Of the positions from the prompt's last on: the i-th is what new token i was chosen from. */
  readings: Reading[];
  /** By index among the new tokens: (V), where the model had a choice. */
  logits: Map<number, Float32Array>;
  /** What was fed at each pad, by index among the new tokens. */
  latents: Continuation['latents'];
}

/**
 * Answers a question and reads the answer once more.
 * @param forced ids of another model's answer, which this one must give too
 * @param pause called between steps; throwing stops
 */
export async function runOf(
  model: Model,
  asked: Question,
  forced: readonly number[] | undefined,
  pause: (message: string) => Promise<void>,
): Promise<WeightsRun> {
  const { prompt, pictures, features } = await promptOf(model, asked, pause);
  const { tokens, continuation } = await answer(model, prompt, asked, forced, pause);
  const sequence = await sequenceOf(model, prompt, continuation);
  const [first, end] = [prompt.ids.length - 1, sequence.ids.length];
  const wanted = new Set(Array.from({ length: end - first }, (_, i) => first + i));
  const width = prompt.embeddings.shape[1]!;
  const run: WeightsRun = {
    prompt,
    tokens,
    pictures,
    features,
    fed: sequence.embeddings.data.slice(first * width),
    readings: [],
    logits: new Map(),
    latents: continuation.latents,
  };
  for await (const part of replay(model, sequence, { attention: wanted, states: wanted })) {
    await pause('reading the answer again');
    await collect(model, run, first, part);
  }
  return run;
}

/** The pictures' features in the prompt. */
async function promptOf(
  model: Model,
  { question, images }: Question,
  pause: (message: string) => Promise<void>,
): Promise<{ prompt: Prompt; pictures: PicturePlace[]; features: Float32Array }> {
  const { checkpoint } = model;
  const { processor, config } = checkpoint;
  const encoded: { name: string; grid: PatchGrid; tokens: number; features: NumericArray }[] = [];
  for (const { name, bytes } of images) {
    await pause(`encoding ${name}`);
    const { pixelValues, grid, mergedTokens } = await processImage(bytes, name, processor);
    encoded.push({ name, grid, tokens: mergedTokens, features: await model.encodeImage(pixelValues, grid) });
  }
  const parts = promptParts(question, images.length, 'first');
  const { ids } = encodePrompt(
    checkpoint,
    { parts },
    encoded.map(({ tokens }) => tokens),
  );
  let next = 0;
  const pictures = encoded.map(({ name, grid, tokens }): PicturePlace => {
    const start = ids.indexOf(config.tokens.imagePad, next);
    next = start + tokens;
    const side = processor.mergeSize;
    return { name, start, rows: grid.height / side, columns: grid.width / side };
  });
  return {
    prompt: { ids, ...(await model.embedPrompt(ids, encoded)) },
    pictures,
    features: joined(encoded.map(({ features }) => features.data)),
  };
}

/** A greedy answer. @param forced ids that it must have */
export async function answer(
  model: Model,
  prompt: Prompt,
  { latents, maxTokens }: Question,
  forced: readonly number[] | undefined,
  pause: (message: string) => Promise<void>,
): Promise<{ tokens: NewToken[]; continuation: Continuation }> {
  const tokens: NewToken[] = [];
  const vectors = new Map<number, Float32Array>();
  let blocks: Continuation['blocks'] = [];
  const { repetitionPenalty } = model.checkpoint.generation;
  const sampling = { temperature: 0, topP: 1, seed: 0, repetitionPenalty };
  const force = Object.fromEntries((forced ?? []).map((id, i) => [i, id]));
  await generate(
    model,
    { ...prompt, ...sampling, latents, force, maxTokens: forced?.length ?? maxTokens },
    {
      prefill: () => pause('reading the prompt'),
      token: async (token, run) => {
        tokens.push(token);
        blocks = run.blocks.map((block) => ({ ...block }));
        await pause(`answering, token ${tokens.length}`);
      },
      fed: async ({ index }, { vector }) => {
        if (vector !== undefined) vectors.set(index, vector);
      },
    },
  );
  return { tokens, continuation: { ids: tokens.map(({ id }) => id), latents: vectors, blocks } };
}

type Part = Awaited<ReturnType<ReturnType<typeof replay>['next']>>['value'] & object;

/** Takes a part of the replay apart, position by position. */
async function collect(
  model: Model,
  run: WeightsRun,
  first: number,
  { first: from, following: { chosen }, attention, states }: Part,
): Promise<void> {
  const width = chosen.shape[1]!;
  const [layers = 0, heads = 0, queries = 0, keys = 0] = attention.values.shape;
  const count = states.positions.length;
  states.positions.forEach((position, p) => {
    const length = position + 1;
    const rows = new Float32Array(layers * heads * length);
    for (let i = 0; i < layers * heads; i++) {
      const at = (i * queries + p) * keys;
      rows.set(attention.values.data.subarray(at, at + length), i * length);
    }
    run.readings.push({
      states: Array.from({ length: layers }, (_, layer) =>
        states.values.data.slice((layer * count + p) * width, (layer * count + p + 1) * width),
      ),
      attention: { shape: [layers, heads, length], data: rows },
    });
  });
  const chosenFrom = states.positions.filter(
    (position) => run.tokens[position - first]?.logits !== undefined,
  );
  const rows = chosenFrom.map((position) =>
    chosen.data.subarray((position - from) * width, (position - from + 1) * width),
  );
  await eachLogits(model, { shape: [rows.length, width], data: joined(rows) }, (logits, row) => {
    run.logits.set(chosenFrom[row]! - first, logits.slice());
  });
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const data = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const row of rows) {
    data.set(row, at);
    at += row.length;
  }
  return data;
}
