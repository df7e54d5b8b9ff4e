/**
 * Traces with invented numbers, for looking at the panel and testing it: every part of the format filled,
 * deterministic, of any size.
 */

import { readFileSync } from 'node:fs';
import { toBase64 } from '../../src/base/base64.ts';
import type { NumericArray } from '../../src/tensor/array.ts';
import type {
  Trace,
  TraceBlock,
  TraceComparison,
  TraceLatent,
  TracePicture,
  TraceToken,
} from '../../src/trace/schema.ts';
import { TRACE_FORMAT, TRACE_VERSION } from '../../src/trace/format.ts';

export interface SampleSize {
  layers: number;
  heads: number;
  side: number;
  blocks: number;
  latents: number;
  hiddenSize: number;
  helpers: number;
}

const SMALL: SampleSize = { layers: 4, heads: 3, side: 6, blocks: 3, latents: 4, hiddenSize: 16, helpers: 3 };
const PROMPT_BEFORE = 4;
const PROMPT_AFTER = 12;

/** A whole trace over the example maps. */
export function sampleTrace(size: Partial<SampleSize> = {}): Trace {
  const full = { ...SMALL, ...size };
  const patches = full.side ** 2;
  const prompt = PROMPT_BEFORE + patches + PROMPT_AFTER;
  const { tokens, blocks } = answerOf(full, prompt);
  const pictures = picturesOf(full);
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
  };
  trace.latents = latentsOf(trace, full);
  return enriched(trace);
}

/** Adds what a reference run lacks: attention of tokens, helper pictures, comparisons and timings. */
export function enriched(
  trace: Trace,
  helpers = trace.pictures.filter(({ role }) => role === 'helper'),
): Trace {
  const random = generator(7);
  const pictures = [...trace.pictures.filter(({ role }) => role === 'input'), ...helpers];
  const tokens = trace.tokens.map((token) =>
    token.kind === 'text' && !token.text.includes('}')
      ? { ...token, attention: attentionOf(trace, [trace.model.layers], token.position + 1, random) }
      : token,
  );
  const latents = trace.latents.map((latent) => ({
    ...latent,
    comparisons: pictures.map((picture) => comparisonOf(picture, random)),
  }));
  const timings = [
    { name: 'load', milliseconds: 412 },
    { name: 'encode pictures', milliseconds: 38.2 },
    { name: 'prompt', milliseconds: 61 },
    { name: 'generate', milliseconds: 402 },
  ];
  return { ...trace, pictures, tokens, latents, timings };
}

/** Example pictures as helpers that the model did not see. */
export function helperPictures(map: string, count: number, side: number): TracePicture[] {
  return Array.from({ length: count }, (_, i) =>
    pictureOf(`helper-${i + 1}`, `${map}-helper-${i + 1}.png`, 'helper', side),
  );
}

function picturesOf({ side, helpers }: SampleSize): TracePicture[] {
  const input = pictureOf('image-1', 'map-05.png', 'input', side);
  return [
    { ...input, range: { start: PROMPT_BEFORE, count: side ** 2 } },
    ...helperPictures('map-05', helpers, side),
  ];
}

function pictureOf(id: string, name: string, role: 'input' | 'helper', side: number): TracePicture {
  const bytes = readFileSync(new URL(`../../examples/${name}`, import.meta.url));
  return {
    id,
    name,
    role,
    width: bytes.readUInt32BE(16),
    height: bytes.readUInt32BE(20),
    exifOrientation: 1,
    png: toBase64(bytes),
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
    for (const word of ['right', '\n']) add(word, 'text');
    const startToken = tokens.length;
    add('<|latent_start|>', 'latent-start');
    for (let i = 0; i < size.latents; i++) add('<|latent_pad|>', 'latent-pad', true);
    add('<|latent_end|>', 'latent-end', true);
    blocks.push({ index, startToken, endToken: tokens.length - 1, latents: size.latents, ended: 'forced' });
  }
  for (const word of ['Answer', ':', ' \\', 'boxed', '{', 'R', 'R', 'D', '}']) add(word, 'text');
  add('<|im_end|>', 'end');
  return { tokens, blocks };
}

function latentsOf(trace: Trace, size: SampleSize): TraceLatent[] {
  const random = generator(3);
  return trace.blocks.flatMap(({ index: block, startToken, latents }) =>
    Array.from({ length: latents }, (__, index) => {
      const token = startToken + 1 + index;
      const { position } = trace.tokens[token]!;
      const vector = Float32Array.from({ length: size.hiddenSize }, (_, i) => Math.sin(i + block) + random());
      return {
        block,
        index,
        token,
        position,
        vector: { shape: [size.hiddenSize], data: vector },
        attention: attentionOf(trace, [size.layers, size.heads], position + 1, random),
        comparisons: [],
      };
    }),
  );
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

function comparisonOf(picture: TracePicture, random: () => number): TraceComparison {
  const tokens = picture.grid.rows * picture.grid.columns;
  const cosines = Float32Array.from({ length: tokens }, () => random() * 0.9 - 0.15);
  const weights = cosines.map((value) => Math.exp(value));
  const total = weights.reduce((sum, value) => sum + value, 0);
  const order = [...cosines.keys()].toSorted((a, b) => cosines[b]! - cosines[a]!);
  return {
    picture: picture.id,
    similarity: { shape: [tokens], data: cosines },
    selection: {
      groupSize: 1,
      cosines: { shape: [tokens], data: cosines },
      probabilities: { shape: [tokens], data: weights.map((value) => value / total) },
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
