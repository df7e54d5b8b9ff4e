/** The model itself: one forward pass, and greedy runs of the released loop with its latent blocks. */

import * as z from 'zod';
import { seededNumbers } from '../base/random.ts';
import { promptParts, encodePrompt, type Prompt, type PromptPart } from '../checkpoint/text/chatTemplate.ts';
import type { PictureFeatures } from '../inference/embeddings.ts';
import { generate } from '../inference/generate.ts';
import type { NewToken } from '../inference/generation.ts';
import type { Model } from '../inference/model.ts';
import type { EncodeOptions } from '../inference/tower.ts';
import type { PatchGrid } from '../model/positions.ts';
import type { Protocol } from '../model/protocol.ts';
import type { NumericArray } from '../tensor/array.ts';
import type { TraceBlock } from '../trace/schema.ts';
import { tensorCase, type Answers, type StoredTensors } from './answers.ts';
import {
  caseRounding,
  compare,
  largestDifference,
  same,
  unread,
  type Check,
  type Measure,
  type NotRun,
  type Rounding,
} from './check.ts';
import { TOLERANCE, type Nearness } from './nearness.ts';

const ids = z.array(z.int());

const promptCase = z.looseObject({
  name: z.string(),
  images: z.array(z.string()),
  question: z.string(),
  /** Another order: texts, and 0 for a picture. */
  content: z.array(z.union([z.string(), z.literal(0)])).optional(),
  prompt: z.string(),
  rounding: caseRounding,
});

type PromptCase = z.output<typeof promptCase>;

export const forwardCase = promptCase.extend({
  input_ids: ids,
  image_grid_thw: z.array(ids),
  rope_delta: z.number(),
});

export const generateCase = promptCase.extend({
  mode: z.enum(['forced', 'free']),
  max_new_tokens: z.int().min(1),
  repetition_penalty: z.number(),
  /** Ids by the index of the new token that they are forced on. */
  force: z.record(z.string(), z.int()),
  prompt_ids: ids,
  new_ids: ids,
  blocks: z.array(z.strictObject({ start: z.int(), latents: z.int(), end: z.int().optional() })),
  latent_positions: ids,
  /** May be left out where a run is long. */
  text: z.string().optional(),
});

type GenerateCase = z.output<typeof generateCase>;

/** Opens a checkpoint of the folder once, with an adapter if one is named; the runner closes it. */
export type OpenModel = (name: string, adapter?: string) => Promise<Model>;

/** Reads every picture window by window, as the tower reads large ones by parts. */
const IN_PARTS: EncodeOptions = { maxPatches: 1 };

/**
 * forward/SOURCE answers, computed with the checkpoint `name` (which may be the same weights stored otherwise).
 * First with each picture as a whole, then, where there are pictures, all of it again with them in parts.
 */
export async function forwardChecks(
  answers: Answers,
  open: OpenModel,
  near: Nearness,
  source: string,
  name = source,
): Promise<(Check | NotRun)[]> {
  const cases = await answers.cases(`forward/${source}`, forwardCase);
  const checks = (item: z.output<typeof forwardCase>, suffix: string, encode?: EncodeOptions) =>
    tensorCase(
      answers,
      `forward/${name}/${item.name}${suffix}`,
      `forward/${source}/${item.name}`,
      async (expected) => compareForward(answers, await open(name), near, item, expected, encode),
    );
  return [
    ...cases.flatMap((item) => checks(item, '')),
    ...cases
      .filter(({ images }) => images.length > 0)
      .flatMap((item) => checks(item, ', in parts', IN_PARTS)),
  ];
}

async function compareForward(
  answers: Answers,
  model: Model,
  { measure }: Nearness,
  item: z.output<typeof forwardCase>,
  expected: StoredTensors,
  encode?: EncodeOptions,
): Promise<Measure[]> {
  const prompt = await preparePrompt(answers, model, item, { encode });
  const near = async (what: string, actual: ArrayLike<number>, ...kinds: string[]): Promise<Measure> =>
    measure(what, actual, await expected.float32(what), item.rounding, ...kinds);
  const cache = model.newCache();
  try {
    const { hidden, attention } = await model.prefill(cache, prompt.embeddings, prompt.positions);
    return [
      same('prompt', prompt.text, item.prompt),
      compare('input_ids', prompt.ids, item.input_ids),
      same(
        'image_grid_thw',
        prompt.pictures.map(({ grid }) => [1, grid.height, grid.width]),
        item.image_grid_thw,
      ),
      compare('rope_delta', [prompt.delta], [item.rope_delta]),
      compare(
        'position_ids',
        [0, 1, 2].flatMap((axis) => prompt.positions.map((place) => place[axis]!)),
        await expected.integers('position_ids'),
      ),
      await near('logits', (await model.logits(hidden)).data),
      await near('hidden', hidden.data, 'latents'),
      await near('attention_last', attention.data, 'attention'),
      ...(item.images.length === 0
        ? []
        : [
            await near(
              'image_features',
              prompt.pictures.flatMap(({ features }) => Array.from(features.data)),
            ),
          ]),
      ...(prompt.pictures.every(({ features }) => features.levels === undefined)
        ? []
        : [
            await near(
              'deepstack_features',
              prompt.pictures.flatMap(({ features }) => Array.from(features.levels ?? [])),
            ),
          ]),
    ];
  } finally {
    cache.dispose();
  }
}

/** forward/ADAPTER-logits: logits of the cases of forward/BASE with the adapter applied to that checkpoint. */
export async function adapterChecks(
  answers: Answers,
  open: OpenModel,
  near: Nearness,
  base: string,
  adapter: string,
): Promise<(Check | NotRun)[]> {
  const cases = await answers.cases(`forward/${base}`, forwardCase);
  const expected = await answers.tensors(`forward/${adapter}-logits.safetensors`);
  const checks = cases.map((item) => ({
    name: `forward/${adapter}/${item.name}`,
    run: async () => {
      const model = await open(base, adapter);
      const prompt = await preparePrompt(answers, model, item);
      const cache = model.newCache();
      try {
        const { hidden } = await model.prefill(cache, prompt.embeddings, prompt.positions);
        const { data } = await model.logits(hidden);
        return [
          compare('input_ids', prompt.ids, item.input_ids),
          near.measure('logits', data, await expected.float32(item.name), item.rounding),
        ];
      } finally {
        cache.dispose();
      }
    },
  }));
  return [...checks, unread(`forward/${adapter}`, () => expected.unused)];
}

/** generate/SOURCE answers: every id, every latent, its attention, the logits. */
export async function generateChecks(
  answers: Answers,
  open: OpenModel,
  near: Nearness,
  source: string,
  name = source,
): Promise<(Check | NotRun)[]> {
  const cases = await answers.cases(`generate/${source}`, generateCase);
  return cases.flatMap((item) =>
    tensorCase(
      answers,
      `generate/${name}/${item.name}`,
      `generate/${source}/${item.name}`,
      async (expected) => checkRun(answers, await open(name), near, item, expected),
    ),
  );
}

/**
 * A run that feeds its own states magnifies rounding, and some do so beyond any fixed tolerance: on one processor they
 * pass, on the next not. So a run that misses it, and tells no rounding of its own, is run again with prompts that differ
 * in their last bits alone. How far these come apart is what float32 cannot decide.
 */
async function checkRun(
  answers: Answers,
  model: Model,
  near: Nearness,
  item: GenerateCase,
  expected: StoredTensors,
): Promise<Measure[]> {
  const prompt = await preparePrompt(answers, model, item);
  const run = await replay(model, prompt, idsGiven(item, near));
  const measures = await compareRun(model, run, near, item, expected);
  const byLittle = measures.some(({ error, tolerance }) => error > tolerance && error <= MOST_FOR_ROUNDING);
  if (near.forcesIds || !byLittle || item.rounding !== undefined) return measures;
  const rounding = await measuredRounding(model, prompt, item, run);
  return compareRun(model, run, near, { ...item, rounding }, expected);
}

/** With the ids that the answer has, where they are not to be compared. */
export function idsGiven<Item extends { force: Readonly<Record<string, number>>; new_ids: number[] }>(
  item: Item,
  { forcesIds }: Nearness,
): Item {
  return forcesIds ? { ...item, force: Object.fromEntries(item.new_ids.entries()) } : item;
}

/** A difference beyond this is no rounding, and is not looked into. */
const MOST_FOR_ROUNDING = 10 * TOLERANCE;

/** How often a prompt is altered. */
const ALTERED = 4;

/** How far logits, latents and attention move when the prompt's numbers do in their last bit. */
async function measuredRounding(
  model: Model,
  prompt: PreparedPrompt,
  item: GenerateCase,
  run: Replay,
): Promise<{ logits: number; latents: number; attention: number }> {
  const most = { logits: 0, latents: 0, attention: 0 };
  const logits = await logitsOf(model, run.hidden);
  for (let seed = 1; seed <= ALTERED; seed++) {
    const { data } = prompt.embeddings;
    const altered = await replay(
      model,
      { ...prompt, embeddings: { ...prompt.embeddings, data: inLastBit(data, seed) } },
      item,
    );
    const moved = (kind: keyof typeof most, a: ArrayLike<number>, b: ArrayLike<number>): void => {
      most[kind] = Math.max(most[kind], largestDifference(a, b));
    };
    moved('logits', await logitsOf(model, altered.hidden), logits);
    for (const [i, { vector, attention }] of run.latents.entries()) {
      moved('latents', altered.latents[i]?.vector ?? [], vector);
      moved('attention', altered.latents[i]?.attention.data ?? [], attention.data);
    }
  }
  return most;
}

/** Each number's neighbour in float32, the larger or the smaller one. */
function inLastBit(values: Float32Array, seed: number): Float32Array {
  const random = seededNumbers(seed);
  return values.map((value) => value * (1 + (random() < 0.5 ? -1 : 1) * 2 ** -23));
}

async function compareRun(
  model: Model,
  run: Replay,
  near: Nearness,
  item: GenerateCase,
  expected: StoredTensors,
): Promise<Measure[]> {
  const newIds = run.tokens.map(({ id }) => id);
  return [
    same('prompt', run.prompt.text, item.prompt),
    compare('prompt_ids', run.prompt.ids, item.prompt_ids),
    compare('new_ids', newIds, item.new_ids),
    ...(item.text === undefined ? [] : [same('text', model.checkpoint.tokenizer.decode(newIds), item.text)]),
    same('blocks', run.blocks, item.blocks),
    compare(
      'latent_positions',
      run.latents.map(({ position }) => position),
      item.latent_positions,
    ),
    ...(await compareLatents(run, expected, near, item.rounding)),
    await compareLogits(model, run, near, item, expected),
  ];
}

export async function compareLatents(
  { latents }: Pick<Replay, 'latents'>,
  expected: StoredTensors,
  { measure }: Nearness,
  rounding: Rounding,
): Promise<Measure[]> {
  // A run without latents may store none, or empty ones.
  if (latents.length === 0 && !expected.has('latents') && !expected.has('latent_attention')) return [];
  const keys = expected.shape('latent_attention').at(-1) ?? 0;
  return [
    measure(
      'latents',
      latents.flatMap(({ vector }) => Array.from(vector)),
      await expected.float32('latents'),
      rounding,
    ),
    measure(
      'latent_attention',
      latents.flatMap(({ attention }) => padKeys(attention, keys)),
      await expected.float32('latent_attention'),
      rounding,
      'attention',
    ),
  ];
}

export async function preparePrompt(
  answers: Answers,
  model: Model,
  { images, ...item }: Pick<PromptCase, 'images' | 'question' | 'content'>,
  { encode, ...asked }: { encode?: EncodeOptions | undefined } & Partial<Prompt> = {},
) {
  const { checkpoint } = model;
  const parts = asked.parts ?? partsOf({ images, ...item });
  // What the prompt has no place for is not looked at.
  const places = parts.filter(({ type }) => type === 'image').length;
  const pictures: { grid: PatchGrid; tokens: number; features: PictureFeatures }[] = [];
  for (const image of images.slice(0, places)) {
    const { pixelValues, grid, mergedTokens } = await answers.picture(image, checkpoint.processor);
    pictures.push({
      grid,
      tokens: mergedTokens,
      features: await model.encodeImage(pixelValues, grid, encode),
    });
  }
  const encoded = encodePrompt(
    checkpoint,
    { ...asked, parts },
    pictures.map(({ tokens }) => tokens),
  );
  return { ...encoded, pictures, ...(await model.embedPrompt(encoded.ids, pictures)) };
}

function partsOf(item: Pick<PromptCase, 'images' | 'question' | 'content'>): PromptPart[] {
  if (item.content === undefined) return promptParts(item.question, item.images.length, 'first');
  return item.content.map((part) => (part === 0 ? { type: 'image' } : { type: 'text', text: part }));
}

type PreparedPrompt = Awaited<ReturnType<typeof preparePrompt>>;

export interface Replay {
  prompt: PreparedPrompt;
  tokens: NewToken[];
  blocks: GenerateCase['blocks'];
  account: readonly Readonly<TraceBlock>[];
  latents: { position: number; vector: Float32Array; attention: NumericArray }[];
  /** The state each new token was chosen from. */
  hidden: Float32Array[];
}

/** What of a case a run depends on, beside its prompt. */
type RunCase = Pick<GenerateCase, 'force' | 'mode' | 'max_new_tokens' | 'repetition_penalty'> & {
  protocol?: Protocol;
};

export async function replay(model: Model, prompt: PreparedPrompt, item: RunCase): Promise<Replay> {
  const run: Replay = { prompt, tokens: [], blocks: [], account: [], latents: [], hidden: [] };
  const { embeddings, positions, delta, ids: promptIds } = prompt;
  await generate(
    model,
    {
      ids: promptIds,
      embeddings,
      positions,
      delta,
      force: item.force,
      latents: item.mode,
      protocol: item.protocol,
      maxTokens: item.max_new_tokens,
      repetitionPenalty: item.repetition_penalty,
      temperature: 0,
      topP: 1,
      seed: 0,
    },
    {
      prefill: async () => undefined,
      token: async (token, { hidden, blocks }) => {
        run.tokens.push(token);
        run.hidden.push(hidden);
        run.account = blocks;
        run.blocks = blocks.map(({ startToken: start, latents, endToken: end }) => ({
          start,
          latents,
          ...(end !== undefined && { end }),
        }));
      },
      fed: async ({ position }, { attention, vector }) => {
        if (vector !== undefined) run.latents.push({ position, vector, attention });
      },
    },
  );
  return run;
}

/** (L, H, keys) padded with zeros to a common number of keys. */
export function padKeys({ shape, data }: NumericArray, keys: number): number[] {
  const own = shape.at(-1)!;
  return Array.from({ length: data.length / own }, (_, row) =>
    Array.from({ length: keys }, (_unused, key) => (key < own ? data[row * own + key]! : 0)),
  ).flat();
}

/**
 * The logits that the first new tokens were chosen from; a long run may have stored no more. The released logits
 * processor writes into them: where it forces an id, that is 0 and all others are -∞; outside blocks the two that it bans
 * are -∞. What is -∞ is left out.
 */
async function compareLogits(
  model: Model,
  run: Replay,
  near: Nearness,
  item: GenerateCase,
  expected: StoredTensors,
): Promise<Measure> {
  const [rows = 0, width = 0] = expected.shape('logits');
  const stored = await expected.float32('logits');
  const hidden = run.hidden.slice(0, rows);
  const data = await logitsOf(model, hidden);
  const { pad, end } = model.checkpoint.config.tokens.latent ?? {};
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let start = 0; start < stored.length; start += width) {
    const row = stored.subarray(start, start + width);
    const token = run.tokens[start / width];
    const isForced = token?.forced === true && row.filter(Number.isFinite).length === 1;
    for (let id = 0; id < width; id++) {
      const isBanned = isForced ? id !== token.id : item.mode === 'forced' && (id === pad || id === end);
      if (isBanned && row[id] === -Infinity) continue;
      ours.push(isForced ? 0 : data[start + id]!);
      theirs.push(row[id]!);
    }
  }
  const measure = near.measure('logits', ours, theirs, item.rounding);
  return rows > 0 && rows <= run.hidden.length ? measure : { ...measure, error: Infinity };
}

export async function logitsOf(model: Model, hidden: readonly Float32Array[]): Promise<Float32Array> {
  const states = { shape: [hidden.length, hidden[0]?.length ?? 0], data: joined(hidden) };
  return (await model.logits(states)).data;
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => data.set(row, i * width));
  return data;
}
