/**
 * Traces with invented numbers, for looking at the panel and testing it: every part of the format filled,
 * deterministic, of any size.
 */

import { readFileSync } from 'node:fs';
import type { NumericArray } from '../../src/tensor/array.ts';
import { wordColumns } from '../../src/trace/columns.ts';
import { looksOf } from '../../src/trace/looks.ts';
import { meanOfHeads } from '../../src/trace/queries.ts';
import type {
  Trace,
  TraceBlock,
  TraceComparison,
  TraceLatent,
  TracePicture,
  TraceToken,
} from '../../src/trace/schema.ts';
import { TRACE_FORMAT, TRACE_VERSION } from '../../src/trace/format.ts';
import { MemoryContainer } from '../../src/traceFile/container.ts';
import { OpenTrace } from '../../src/traceFile/openTrace.ts';

export interface SampleSize {
  layers: number;
  heads: number;
  side: number;
  blocks: number;
  latents: number;
  hiddenSize: number;
  helpers: number;
  /** Lines of text before each block, and words of each line. */
  lines: number;
  words: number;
}

const SMALL: SampleSize = {
  layers: 4,
  heads: 3,
  side: 6,
  blocks: 3,
  latents: 4,
  hiddenSize: 16,
  helpers: 3,
  lines: 1,
  words: 1,
};
const PROMPT_BEFORE = 4;
const PROMPT_AFTER = 12;

/** A whole run over the example maps. */
export function sampleRun(size: Partial<SampleSize> = {}): OpenTrace {
  const container = new MemoryContainer();
  const full = { ...SMALL, ...size };
  const patches = full.side ** 2;
  const prompt = PROMPT_BEFORE + patches + PROMPT_AFTER;
  const { tokens, blocks } = answerOf(full, prompt);
  const pictures = picturesOf(full, container);
  const trace: Trace = {
    format: TRACE_FORMAT,
    version: TRACE_VERSION,
    id: 'sample',
    createdAt: '2026-01-01T00:00:00.000Z',
    producer: { name: 'invented numbers', version: '1' },
    status: 'complete',
    question: 'Find a safe path to the goal.',
    model: {
      name: 'sample-model',
      architecture: 'Qwen2_5_VLForConditionalGeneration',
      fingerprint: 'sample',
      parameters: 4_540_000,
      dtype: 'BF16',
      layers: full.layers,
      heads: full.heads,
      kvHeads: 1,
      headSize: 8,
      hiddenSize: full.hiddenSize,
      vocabularySize: 512,
      latentSize: full.latents,
    },
    device: {
      requested: 'auto',
      provider: 'cpu',
      reason: 'No GPU was found.',
      name: 'sample',
      runtime: 'none',
    },
    settings: {
      latents: 'forced',
      temperature: 0,
      topP: 1,
      repetitionPenalty: 1,
      seed: 0,
      maxTokens: 200,
      force: {},
      placement: 'first',
      helpers: 'reference',
    },
    prompt: { text: 'sample', ids: Array.from({ length: prompt }, () => 1), ropeDelta: 0 },
    pictures,
    tokens,
    blocks,
    latents: [],
    timings: [],
    arrays: { bytes: 0 },
  };
  addLatents(trace, full, container);
  return enriched(new OpenTrace(trace, container));
}

/** As if it had gone on from its first block with other words, at another temperature. */
export function sampleBranch(size: Partial<SampleSize> = {}): OpenTrace {
  const run = sampleRun({ ...size, blocks: 2 });
  const { trace } = run;
  const at = trace.blocks[0]!.startToken - 2;
  trace.tokens[at] = { ...trace.tokens[at]!, id: 8, text: 'down', probability: 0.02 };
  trace.id = 'branch';
  trace.settings.temperature = 0.7;
  trace.branch = {
    parent: 'sample',
    at,
    changes: { words: { text: 'down', ids: [8] }, temperature: 0.7 },
  };
  return run;
}

/** Its trace alone. */
export function sampleTrace(size: Partial<SampleSize> = {}): Trace {
  return sampleRun(size).trace;
}

/** Adds what a reference run lacks: attention of words, helper pictures, comparisons and timings. */
export function enriched(run: OpenTrace, helpers?: TracePicture[]): OpenTrace {
  const random = generator(7);
  const container = run.container as MemoryContainer;
  const { trace } = run;
  const pictures = helpers === undefined ? trace.pictures : [...inputsOf(trace), ...helpers];
  const timings = [
    { name: 'load', milliseconds: 412 },
    { name: 'encode pictures', milliseconds: 38.2 },
    { name: 'prompt', milliseconds: 61 },
    { name: 'generate', milliseconds: 402 },
  ];
  const whole: Trace = {
    ...trace,
    pictures,
    tokens: trace.tokens.map((token, i) =>
      token.kind === 'text' && !token.text.includes('}')
        ? withRow(trace, token, i, container, random)
        : token,
    ),
    latents: trace.latents.map((latent) => ({
      ...latent,
      comparisons: pictures.map((picture) => comparisonOf(picture, container, random)),
    })),
    timings,
  };
  whole.arrays = { bytes: container.size };
  return new OpenTrace(whole, container);
}

function inputsOf({ pictures }: Trace): TracePicture[] {
  return pictures.filter(({ role }) => role === 'input');
}

function withRow(
  trace: Trace,
  token: TraceToken,
  index: number,
  container: MemoryContainer,
  random: () => number,
): TraceToken {
  const mean = attentionOf(trace, [trace.model.layers], token.position + 1, random);
  const { shape, data } = wordColumns(trace, mean, index);
  return { ...token, looks: looksOf(trace, mean), attention: container.put('F16', shape, data) };
}

/** Example pictures as helpers that the model did not see. */
export function helperPictures(
  map: string,
  count: number,
  side: number,
  container: MemoryContainer,
): TracePicture[] {
  return Array.from({ length: count }, (_, i) =>
    pictureOf(`helper-${i + 1}`, `${map}-helper-${i + 1}.png`, 'helper', side, container),
  );
}

function picturesOf({ side, helpers }: SampleSize, container: MemoryContainer): TracePicture[] {
  const input = pictureOf('image-1', 'map-05.png', 'input', side, container);
  return [
    { ...input, range: { start: PROMPT_BEFORE, count: side ** 2 } },
    ...helperPictures('map-05', helpers, side, container),
  ];
}

function pictureOf(
  id: string,
  name: string,
  role: 'input' | 'helper',
  side: number,
  container: MemoryContainer,
): TracePicture {
  const bytes = readFileSync(new URL(`../../examples/${name}`, import.meta.url));
  return {
    id,
    name,
    role,
    width: bytes.readUInt32BE(16),
    height: bytes.readUInt32BE(20),
    exifOrientation: 1,
    png: container.put('U8', [bytes.length], bytes),
    resized: { width: side * 28, height: side * 28 },
    grid: { rows: side, columns: side },
    tokenSize: 28,
  };
}

function answerOf(size: SampleSize, prompt: number): { tokens: TraceToken[]; blocks: TraceBlock[] } {
  const tokens: TraceToken[] = [];
  const blocks: TraceBlock[] = [];
  const add = (text: string, kind: TraceToken['kind'], forced = false): void => {
    const plain = kind === 'text' || kind === 'latent-start' ? { probability: 0.91 } : {};
    tokens.push({ id: 7, text, kind, position: prompt + tokens.length, forced, ...plain });
  };
  for (const word of ['Start', ' (', '2', ',', '1', '),', ' goal', ' (', '3', ',', '3', ').\n'])
    add(word, 'text');
  for (let index = 0; index < size.blocks; index++) {
    for (let line = 0; line < size.lines; line++) {
      for (let word = 0; word < size.words; word++) add(word === 0 ? 'right' : ' on', 'text');
      add('\n', 'text');
    }
    const startToken = tokens.length;
    add('<|latent_start|>', 'latent-start');
    for (let i = 0; i < size.latents; i++) add('<|latent_pad|>', 'latent', true);
    add('<|latent_end|>', 'latent-end', true);
    blocks.push({ index, startToken, endToken: tokens.length - 1, latents: size.latents, ended: 'forced' });
  }
  for (const word of ['Answer', ':', ' \\', 'boxed', '{', 'R', 'R', 'D', '}']) add(word, 'text');
  add('<|im_end|>', 'end');
  return { tokens, blocks };
}

function addLatents(trace: Trace, size: SampleSize, container: MemoryContainer): void {
  const random = generator(3);
  for (const { index: block, startToken, latents } of trace.blocks) {
    for (let index = 0; index < latents; index++) {
      trace.latents.push(
        latentOf(trace, size, { block, index, token: startToken + 1 + index }, container, random),
      );
    }
  }
}

function latentOf(
  trace: Trace,
  size: SampleSize,
  place: Pick<TraceLatent, 'block' | 'index' | 'token'>,
  container: MemoryContainer,
  random: () => number,
): TraceLatent {
  const token = trace.tokens[place.token]!;
  const vector = Float32Array.from(
    { length: size.hiddenSize },
    (_, i) => Math.sin(i + place.block) + random(),
  );
  const attention = attentionOf(trace, [size.layers, size.heads], token.position + 1, random);
  const mean = meanOfHeads(attention);
  token.looks = looksOf(trace, mean);
  return {
    ...place,
    position: token.position,
    vector: container.put('F32', [size.hiddenSize], vector),
    attention: container.put('F16', attention.shape, attention.data),
    mean: container.put('F16', mean.shape, mean.data),
    comparisons: [],
  };
}

/** Rows that sum to 1, with a bump somewhere. */
function attentionOf(trace: Trace, outer: number[], keys: number, random: () => number): NumericArray {
  const rows = outer.reduce((product, n) => product * n, 1);
  const data = new Float32Array(rows * keys);
  const range = trace.pictures.find(({ range: r }) => r !== undefined)?.range ?? { start: 0, count: 1 };
  for (let row = 0; row < rows; row++) {
    const peak = range.start + Math.floor(random() * range.count);
    let total = 0;
    for (let key = 0; key < keys; key++) {
      const weight = random() ** 4 + (Math.abs(key - peak) < 2 ? 4 : 0);
      data[row * keys + key] = weight;
      total += weight;
    }
    for (let key = 0; key < keys; key++) data[row * keys + key]! /= total;
  }
  return { shape: [...outer, keys], data };
}

function comparisonOf(
  picture: TracePicture,
  container: MemoryContainer,
  random: () => number,
): TraceComparison {
  const tokens = picture.grid.rows * picture.grid.columns;
  const cosines = Float32Array.from({ length: tokens }, () => random() * 0.9 - 0.15);
  const weights = cosines.map((value) => Math.exp(value));
  const total = weights.reduce((sum, value) => sum + value, 0);
  const order = [...cosines.keys()].toSorted((a, b) => cosines[b]! - cosines[a]!);
  return {
    picture: picture.id,
    similarity: container.put('F32', [tokens], cosines),
    selection: {
      groupSize: 1,
      cosines: container.put('F32', [tokens], cosines),
      probabilities: container.put(
        'F32',
        [tokens],
        weights.map((value) => value / total),
      ),
      selected: order.slice(0, 8),
    },
  };
}

/** A small linear congruential generator: the same numbers on every machine. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
