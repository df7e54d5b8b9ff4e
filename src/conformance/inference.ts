/** The model itself: one forward pass, and greedy runs of the released loop with its latent blocks. */

import { promptParts, encodePrompt, type PromptPart } from '../checkpoint/text/chatTemplate.ts';
import { generate } from '../inference/generate.ts';
import type { NewToken } from '../inference/generation.ts';
import type { LatentMode } from '../inference/latentProtocol.ts';
import type { Model } from '../inference/model.ts';
import type { EncodeOptions } from '../inference/tower.ts';
import type { PatchGrid } from '../model/positions.ts';
import type { NumericArray } from '../tensor/array.ts';
import type { Answers } from './answers.ts';
import { compare, same, type Check, type Measure, type NotRun } from './check.ts';

const TOLERANCE = 1e-3;

interface PromptCase {
  name: string;
  images: string[];
  question: string;
  /** Another order: texts, and 0 for a picture. */
  content?: (string | 0)[];
  prompt: string;
}

interface ForwardCase extends PromptCase {
  input_ids: number[];
  image_grid_thw: number[][];
  rope_delta: number;
}

interface GenerateCase extends PromptCase {
  mode: LatentMode;
  max_new_tokens: number;
  repetition_penalty: number;
  force: Record<number, number>;
  prompt_ids: number[];
  new_ids: number[];
  blocks: { start: number; latents: number; end?: number }[];
  latent_positions: number[];
  /** May be left out where a run is long. */
  text?: string;
}

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
  source: string,
  name = source,
): Promise<Check[]> {
  const cases = (await answers.json<ForwardCase[]>(`forward/${source}/cases.json`)) ?? [];
  const check = (item: ForwardCase, suffix: string, encode?: EncodeOptions): Check => ({
    name: `forward/${name}/${item.name}${suffix}`,
    run: async () => {
      const model = await open(name);
      const expected = await answers.tensors(`forward/${source}/${item.name}.safetensors`);
      const prompt = await preparePrompt(answers, model, item, encode);
      const cache = model.newCache();
      try {
        const { hidden, attention } = await model.prefill(cache, prompt.embeddings, prompt.positions);
        const measures: Measure[] = [
          same('prompt', prompt.text, item.prompt),
          compare('input_ids', prompt.ids, item.input_ids),
          same(
            'grids',
            prompt.pictures.map(({ grid }) => [1, grid.height, grid.width]),
            item.image_grid_thw,
          ),
          compare('rope_delta', [prompt.delta], [item.rope_delta]),
          compare(
            'position_ids',
            [0, 1, 2].flatMap((axis) => prompt.positions.map((place) => place[axis]!)),
            await integers(expected, 'position_ids'),
          ),
          compare('logits', (await model.logits(hidden)).data, await expected.float32('logits'), TOLERANCE),
          compare('hidden', hidden.data, await expected.float32('hidden'), TOLERANCE),
          compare('attention', attention.data, await expected.float32('attention_last'), TOLERANCE),
        ];
        if (expected.names.includes('image_features')) {
          const features = prompt.pictures.flatMap((picture) => Array.from(picture.features.data));
          measures.push(
            compare('image_features', features, await expected.float32('image_features'), TOLERANCE),
          );
        }
        return measures;
      } finally {
        cache.dispose();
      }
    },
  });
  return [
    ...cases.map((item) => check(item, '')),
    ...cases.filter(({ images }) => images.length > 0).map((item) => check(item, ', in parts', IN_PARTS)),
  ];
}

/** forward/ADAPTER-logits: logits of the cases of forward/BASE with the adapter applied to that checkpoint. */
export async function adapterChecks(
  answers: Answers,
  open: OpenModel,
  base: string,
  adapter: string,
): Promise<(Check | NotRun)[]> {
  const cases = (await answers.json<ForwardCase[]>(`forward/${base}/cases.json`)) ?? [];
  const file = `forward/${adapter}-logits.safetensors`;
  if (!(await answers.has(file))) return [{ name: `forward/${adapter}`, why: `there is no ${file}` }];
  const expected = await answers.tensors(file);
  return cases
    .filter(({ name }) => expected.names.includes(name))
    .map((item) => ({
      name: `forward/${adapter}/${item.name}`,
      run: async () => {
        const model = await open(base, adapter);
        const prompt = await preparePrompt(answers, model, item);
        const cache = model.newCache();
        try {
          const { hidden } = await model.prefill(cache, prompt.embeddings, prompt.positions);
          return [
            compare('input_ids', prompt.ids, item.input_ids),
            compare(
              'logits',
              (await model.logits(hidden)).data,
              await expected.float32(item.name),
              TOLERANCE,
            ),
          ];
        } finally {
          cache.dispose();
        }
      },
    }));
}

/** generate/SOURCE answers: every id, every latent, its attention, the logits. */
export async function generateChecks(
  answers: Answers,
  open: OpenModel,
  source: string,
  name = source,
): Promise<Check[]> {
  const cases = (await answers.json<GenerateCase[]>(`generate/${source}/cases.json`)) ?? [];
  return cases.map((item) => ({
    name: `generate/${name}/${item.name}`,
    run: async () => {
      const model = await open(name);
      const expected = await answers.tensors(`generate/${source}/${item.name}.safetensors`);
      const run = await replay(answers, model, item);
      const rows = expected.info('logits').shape[0]!;
      const [, , , keys = 0] = expected.names.includes('latent_attention')
        ? expected.info('latent_attention').shape
        : [];
      const latents = expected.names.includes('latents')
        ? await expected.float32('latents')
        : new Float32Array();
      return [
        same('prompt', run.prompt.text, item.prompt),
        compare('prompt_ids', run.prompt.ids, item.prompt_ids),
        compare(
          'new_ids',
          run.tokens.map(({ id }) => id),
          item.new_ids,
        ),
        same('blocks', run.blocks, item.blocks),
        compare(
          'latent_positions',
          run.latents.map(({ position }) => position),
          item.latent_positions,
        ),
        compare(
          'latents',
          run.latents.flatMap(({ vector }) => Array.from(vector)),
          latents,
          TOLERANCE,
        ),
        compare(
          'latent_attention',
          run.latents.flatMap(({ attention }) => padKeys(attention, keys)),
          keys > 0 ? await expected.float32('latent_attention') : [],
          TOLERANCE,
        ),
        compareLogits(
          (await hiddenLogits(model, run.hidden.slice(0, rows))).data,
          await expected.float32('logits'),
          rows,
        ),
      ];
    },
  }));
}

async function preparePrompt(answers: Answers, model: Model, item: PromptCase, encode?: EncodeOptions) {
  const { checkpoint } = model;
  const pictures: { grid: PatchGrid; tokens: number; features: NumericArray }[] = [];
  for (const image of item.images) {
    const { pixels, grid, tokens } = await answers.picture(image, checkpoint.processor);
    pictures.push({ grid, tokens, features: await model.encodeImage(pixels, grid, encode) });
  }
  const encoded = encodePrompt(
    checkpoint,
    { parts: partsOf(item) },
    pictures.map(({ tokens }) => tokens),
  );
  return { ...encoded, pictures, ...(await model.embedPrompt(encoded.ids, pictures)) };
}

function partsOf(item: PromptCase): PromptPart[] {
  if (item.content === undefined) return promptParts(item.question, item.images.length, 'first');
  return item.content.map((part) => (part === 0 ? { type: 'image' } : { type: 'text', text: part }));
}

interface Replay {
  prompt: Awaited<ReturnType<typeof preparePrompt>>;
  tokens: NewToken[];
  blocks: GenerateCase['blocks'];
  latents: { position: number; vector: Float32Array; attention: NumericArray }[];
  /** The state each new token was chosen from. */
  hidden: Float32Array[];
}

async function replay(answers: Answers, model: Model, item: GenerateCase): Promise<Replay> {
  const prompt = await preparePrompt(answers, model, item);
  const run: Replay = { prompt, tokens: [], blocks: [], latents: [], hidden: [] };
  const { embeddings, positions, delta, ids } = prompt;
  await generate(
    model,
    {
      ids,
      embeddings,
      positions,
      delta,
      force: item.force,
      latents: item.mode,
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
function padKeys({ shape, data }: NumericArray, keys: number): number[] {
  const own = shape.at(-1)!;
  return Array.from({ length: data.length / own }, (_, row) =>
    Array.from({ length: keys }, (_unused, key) => (key < own ? data[row * own + key]! : 0)),
  ).flat();
}

async function hiddenLogits(model: Model, hidden: Float32Array[]): Promise<NumericArray> {
  const width = hidden[0]?.length ?? 0;
  const data = new Float32Array(hidden.length * width);
  hidden.forEach((row, i) => data.set(row, i * width));
  return model.logits({ shape: [hidden.length, width], data });
}

/**
 * The released logits processor writes in place: banned ids are stored as -∞, and where it forces an id
 * everything else is. Those numbers are its own, not the model's, and are left out.
 */
function compareLogits(actual: Float32Array, expected: Float32Array, rows: number): Measure {
  const width = expected.length / rows;
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let start = 0; start < expected.length; start += width) {
    const chosenByModel = expected.subarray(start, start + width).filter(Number.isFinite).length > 1;
    if (!chosenByModel) continue;
    for (let i = start; i < start + width; i++) {
      if (expected[i] === -Infinity) continue;
      ours.push(actual[i]!);
      theirs.push(expected[i]!);
    }
  }
  return compare('logits', ours, theirs, TOLERANCE);
}

async function integers(file: Awaited<ReturnType<Answers['tensors']>>, name: string): Promise<number[]> {
  if (file.info(name).dtype === 'I64') return file.int64(name);
  const bytes = await file.bytes(name);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / 4 }, (_, i) => view.getInt32(i * 4, true));
}
