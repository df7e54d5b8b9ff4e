/**
 * The trace: everything a run showed, in one versioned record, the manifest: text, structure and small numbers.
 * Its arrays lie in a container beside it, or in the same file; here stands only where, of which type and shape.
 *
 * This file is the single definition. The types, the reader's checks and the published JSON Schema
 * (media/ilvr-trace.schema.json) all come from it. Numbers are stored before any normalisation, so
 * that every map can be drawn again, and drawn differently, from the file alone.
 *
 * Attention rows are probabilities: each sums to 1 over *all* key positions. They are stored in float16, which is
 * off by at most 1 in 2048 (by 3e-8 below 6e-5); everything else is float32.
 */

import * as z from 'zod';
import { INTERVENTION_KINDS } from '../analysis/intervention.ts';
import { fromBase64, toBase64 } from '../base/base64.ts';
import { sizeOf, type NumericArray } from '../tensor/array.ts';
import { DEVICE_CHOICES, DEVICES } from '../tensor/device.ts';
import { WEIGHT_FORMATS } from '../tensor/weightFormat.ts';
import { ARRAY_KEY, TRACE_FORMAT, TRACE_VERSION } from './format.ts';

const count = z.int().min(0);
const size = z.int().min(1);
/** Bounds an attacker's header: no real picture or sequence is larger. */
const MAX_ELEMENTS = 2 ** 28;
/** Of a picture: four times what the model's pixel budget gives, on a grid of at most 200 to 1. */
const MAX_TOKENS = 2 ** 16;
const side = z
  .int()
  .min(1)
  .max(2 ** 12);

/** Where an array of numbers lies in the container: row-major, little-endian. */
const arrayRef = z
  .strictObject({
    dtype: z.enum(['U8', 'F16', 'F32']),
    shape: z.array(count).max(6),
    /** Of its first byte. */
    offset: count,
    /** Of its bytes. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .refine(({ shape }) => sizeOf(shape) <= MAX_ELEMENTS, `more than ${MAX_ELEMENTS} elements`);

const inlineJson = z
  .strictObject({ dtype: z.literal('F32'), shape: z.array(count).max(6), data: z.base64() })
  .meta({ description: 'Row-major float32 values, little-endian, base64.' });

const inlineInMemory = z.custom<NumericArray>(
  (value) =>
    typeof value === 'object' && value !== null && (value as NumericArray).data instanceof Float32Array,
);

/** A small array that stands in the manifest itself. A byte count that does not fit the shape is an issue. */
const inline = z.codec(inlineJson, inlineInMemory, {
  decode: ({ shape, data }, context) => {
    const length = sizeOf(shape);
    const bytes = length <= MAX_ELEMENTS ? fromBase64(data) : new Uint8Array();
    if (bytes.length !== length * 4) {
      context.issues.push({
        code: 'custom',
        message: `expected ${length * 4} bytes for shape [${shape.join(', ')}], found ${bytes.length}`,
        input: shape,
      });
      return z.NEVER;
    }
    const view = new DataView(bytes.buffer);
    return { shape, data: Float32Array.from({ length }, (_, i) => view.getFloat32(i * 4, true)) };
  },
  encode: ({ shape, data }) => {
    const bytes = new Uint8Array(data.length * 4);
    const view = new DataView(bytes.buffer);
    data.forEach((value, i) => view.setFloat32(i * 4, value, true));
    return { dtype: 'F32' as const, shape, data: toBase64(bytes) };
  },
});

/** Exactly one of `file` and `data` stands in a file; in memory neither does. */
const container = z.strictObject({
  /** Its length; references end within it. */
  bytes: count,
  /** Name of the file beside the manifest. */
  file: z.string().min(1).max(255).optional(),
  /** The container itself, base64. */
  data: z.string().meta({ contentEncoding: 'base64' }).optional(),
});

const adapter = z.strictObject({
  name: z.string(),
  /** r and α of its configuration; single matrices may have others. */
  rank: size,
  alpha: z.number(),
  /** sha256 of its configuration and all its bytes. */
  fingerprint: z.string(),
});

const marker = z.strictObject({ name: z.string(), id: count });

/** A latent protocol: what each field means, src/model/protocol.ts says. */
const protocol = z.strictObject({
  name: z.string().min(1).max(100),
  tokens: z.strictObject({
    start: marker.optional(),
    pad: marker.optional(),
    end: marker.optional(),
    visual: z.array(marker).max(1000).optional(),
  }),
  count: size,
  countFrom: z.enum(['fixed', 'setting', 'config']),
  source: z.enum(['hidden', 'head', 'token']),
  headLogits: z.boolean(),
  firstFeed: z.enum(['after-start', 'replace-start']),
  stop: z.strictObject({
    endToken: z.boolean(),
    distance: z
      .strictObject({ to: z.string(), measure: z.enum(['mse', 'mae', 'cosine']), threshold: z.number() })
      .optional(),
    repeats: size.optional(),
  }),
  append: z.enum(['pad', 'own']),
  forcedEnd: z.boolean(),
  bansOutside: z.boolean(),
  startInside: z.enum(['ignored', 'restart', 'reset']),
  stopInside: z.enum(['ends', 'ignored']),
  limitInside: z.enum(['ends', 'ignored']),
  state: z.enum(['block', 'run']),
  firstToken: z.enum(['free', 'start']),
  bound: size,
  prompt: z.strictObject({
    images: z.enum(['first', 'last', 'placeholder']),
    lead: z.string().optional(),
    trimmed: z.boolean().optional(),
  }),
});

const model = z.strictObject({
  /** With an adapter, "model + adapter". */
  name: z.string(),
  architecture: z.string(),
  /** sha256 over the configuration, the tensor headers and the file sizes. */
  fingerprint: z.string(),
  /** sha256 of every byte of the checkpoint, where it was computed. */
  sha256: z.string().optional(),
  parameters: count,
  /** Format of the stored weights. */
  dtype: z.enum(['F32', 'F16', 'BF16']),
  /** Format that they were computed with; absent in older traces, which knew float32 only. */
  weights: z.enum(WEIGHT_FORMATS).optional(),
  layers: size,
  heads: size,
  kvHeads: size,
  headSize: size,
  hiddenSize: size,
  vocabularySize: size,
  /** K, vectors per latent block; absent for a model without latent tokens. */
  latentSize: size.optional(),
  /** How the run thought in latents; absent for a model without, and in older traces, which knew ILVR's only. */
  protocol: protocol.optional(),
  /** What a reader of the trace should know about the model, in sentences. */
  notes: z.array(z.string()).optional(),
  /** What latents reach by the model's attention mask, in a control model; absent for an ordinary one. */
  latentReach: z.enum(['only', 'none']).optional(),
  /** What was added to the weights; the identities above include it, the parameter count does not. */
  adapter: adapter.optional(),
});

const device = z.strictObject({
  requested: z.enum(DEVICE_CHOICES),
  provider: z.enum(DEVICES),
  /** Why this provider: one sentence, shown to the user. */
  reason: z.string(),
  /** Adapter or processor name. */
  name: z.string(),
  runtime: z.string(),
});

const settings = z.strictObject({
  latents: z.enum(['forced', 'free']),
  /** What was fed in place of the model's own latents; absent when nothing was. */
  intervention: z.enum(INTERVENTION_KINDS).optional(),
  /** The block, or the latent of it, that it was limited to. */
  interventionScope: z.strictObject({ block: count, latent: count.optional() }).optional(),
  /** Rules of the model's own latent protocol that the run was asked to change, by their names; all that held stand in `model`. */
  protocol: z.record(z.string(), z.unknown()).optional(),
  /** 0 is greedy. */
  temperature: z.number().min(0),
  topP: z.number().gt(0).max(1),
  /** Absent: the checkpoint's own, if any. */
  topK: size.optional(),
  repetitionPenalty: z.number().gt(0),
  seed: z.int(),
  maxTokens: size,
  /** Index of a new token → id that was forced there. */
  force: z.record(z.string(), count),
  placement: z.enum(['first', 'last', 'placeholder']),
  /** Bounds on a picture's pixels; absent in older traces. */
  minPixels: size.optional(),
  maxPixels: size.optional(),
  /** Whether helper images were only compared with, or part of the model's input. */
  helpers: z.enum(['reference', 'prompt']),
  /** System prompt that was given; absent when the chat template's own was used. */
  system: z.string().optional(),
  /** What a reader should know of them: sentences, such as which of the checkpoint's own were not used. */
  notes: z.array(z.string()).optional(),
});

const prompt = z.strictObject({
  text: z.string(),
  ids: z.array(count),
  /** Next position minus length, after M-RoPE has compressed the pictures. */
  ropeDelta: z.int(),
});

const picture = z.strictObject({
  id: z.string(),
  name: z.string(),
  role: z.enum(['input', 'helper']),
  /** Size of the source file's pixels after orientation. */
  width: size,
  height: size,
  /** EXIF orientation that was applied, 1 to 8; 1 is none. */
  exifOrientation: z.int().min(1).max(8),
  /** Upright pixels for display, as the bytes of a PNG. */
  png: arrayRef,
  /** What the model saw. */
  resized: z.strictObject({ width: size, height: size }),
  /** Merged tokens: rows × columns. */
  grid: z
    .strictObject({ rows: side, columns: side })
    .refine(({ rows, columns }) => rows * columns <= MAX_TOKENS, `more than ${MAX_TOKENS} tokens`),
  /** Side of one merged token in resized pixels. */
  tokenSize: size,
  /** Where its tokens stand in the sequence; absent when it was not part of the prompt. */
  range: z.strictObject({ start: count, count: size }).optional(),
});

const token = z.strictObject({
  id: count,
  /** Text this token completed; empty while a character is unfinished. */
  text: z.string(),
  kind: z.enum(['text', 'latent-start', 'latent', 'latent-end', 'end']),
  /** Index in the whole sequence, prompt included. */
  position: count,
  /** Probability the model gave it, before sampling settings; absent inside a block. */
  probability: z.number().min(0).max(1).optional(),
  /** Chosen by the caller or by the latent protocol, not by the model. */
  forced: z.boolean(),
  /** At a latent: the token that the model chose there, whatever id stands there; absent where it was not asked. */
  chosen: z.string().optional(),
  /** What this position's own query looks at, heads averaged: [layers, LOOKS]; see looks.ts. Absent if it was never fed. */
  looks: inline.optional(),
  /**
   * Of a word: its attention, heads averaged, over the pictures of the prompt and then the latents before it:
   * [layers, patches + latents].
   */
  attention: arrayRef.optional(),
});

/** How a latent block ends. */
const BLOCK_ENDS = [
  'running',
  /** It was full. */
  'forced',
  'end-token',
  'restart',
  /** A vector lay near the one that the model learnt for this. */
  'distance',
  /** The model chose one id several times. */
  'repeats',
  /** Its latents are ordinary tokens, and another one followed. */
  'text',
  /** The model ended its answer inside. */
  'stop',
  'limit',
  /** Nothing would have ended it. */
  'endless',
  'cancelled',
] as const;

const block = z.strictObject({
  index: count,
  /** Indices into tokens. */
  startToken: count,
  endToken: count.optional(),
  latents: count,
  ended: z.enum(BLOCK_ENDS),
});

const comparison = z.strictObject({
  picture: z.string(),
  /** cos(latent, merged feature) per token of the picture: [rows × columns]. */
  similarity: arrayRef,
  /** The trainer's selection: softmax over the candidates' cosines. */
  selection: z.strictObject({
    /** Tokens averaged into one candidate; 1 unless the picture has 256 tokens or more. */
    groupSize: size,
    cosines: arrayRef,
    probabilities: arrayRef,
    /** Candidates the trainer's rule would keep, most similar first. */
    selected: z.array(count),
  }),
});

const latent = z.strictObject({
  block: count,
  /** 0-based place in its block. */
  index: count,
  /** Index into tokens: the pad at which the vector was fed. */
  token: count,
  position: count,
  /** [hidden size] */
  vector: arrayRef,
  /** Probabilities of this position's query: [layers, heads, keys]. */
  attention: arrayRef,
  /** Mean of its heads: [layers, keys]. */
  mean: arrayRef,
  comparisons: z.array(comparison),
});

/** What a samples file says of the answer. */
const verdict = z.strictObject({
  right: z.boolean(),
  /** The sample's own answer, where it has one. */
  expected: z.string().optional(),
  /** Name of the samples file. */
  source: z.string(),
});

/** Levels of a result, which nobody's is as deep as. */
const MAX_DEPTH = 12;

/** JSON in which an array of numbers stands as {"$array": reference}. */
const result = z.unknown().superRefine((value, context) => {
  const fault = faultOf(value, MAX_DEPTH);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, input: value });
});

/** What is wrong with a result, if anything is. */
function faultOf(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth === 0) return `more than ${MAX_DEPTH} levels`;
  if (ARRAY_KEY in value) {
    const parsed = arrayRef.safeParse(value[ARRAY_KEY]);
    return parsed.success ? undefined : (parsed.error.issues[0]?.message ?? 'no reference');
  }
  for (const part of Object.values(value)) {
    const fault = faultOf(part, depth - 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** An analysis of this run (src/analysis), kept with what made it, so that it can be made again. */
const keptAnalysis = z.strictObject({
  /** Its name in the table of analyses; of a newer program, one that this does not know. */
  method: z.string().min(1).max(64),
  /** Of the method; results of another version are not shown as today's. */
  version: size,
  createdAt: z.iso.datetime(),
  /** partial: it was stopped, and this is what was known by then. */
  status: z.enum(['partial', 'complete']),
  /** All, defaults included. */
  parameters: z.record(z.string().max(64), z.unknown()),
  /** Of chance, where the method has any. */
  seed: z.int().optional(),
  /** Id of the run that it was compared with. */
  other: z.string().min(1).max(128).optional(),
  /** Who computed it, where a model was needed. */
  model: model.pick({ name: true, fingerprint: true, sha256: true, weights: true }).optional(),
  device: device.optional(),
  result,
});

/** Words that are written at once. */
const MAX_WORDS = 4096;

/** Of a run that goes on from a point of another: from where, and with what changed. */
const branch = z.strictObject({
  /** Id of the other run. */
  parent: z.string().min(1).max(128),
  /** Index into tokens: those before it are the parent's, as they stand here too. */
  at: count,
  changes: z.strictObject({
    /** Written in place of what the parent had there. */
    words: z.strictObject({ text: z.string(), ids: z.array(count).max(MAX_WORDS) }).optional(),
    /** What is fed at the latents from there on; "own": the model's own again. */
    intervention: z.enum([...INTERVENTION_KINDS, 'own']).optional(),
    temperature: z.number().min(0).optional(),
    seed: z.int().optional(),
  }),
  /** Patches that no query from a token on attends to, its parents' included. */
  masks: z
    .array(
      z.strictObject({
        from: count,
        picture: z.string(),
        patches: z.array(count).min(1).max(MAX_TOKENS),
      }),
    )
    .max(64)
    .optional(),
  /** Index of the token from which on the seed's numbers were drawn; absent: from the first. */
  drawsFrom: count.optional(),
  /** Latents before `at` were not the model's own. */
  replacedBefore: z.literal(true).optional(),
});

const timing = z.strictObject({ name: z.string(), milliseconds: z.number().min(0) });

export const traceSchema = z
  .strictObject({
    $schema: z.string().optional(),
    format: z.literal(TRACE_FORMAT),
    version: z.literal(TRACE_VERSION),
    id: z.string().min(1).max(128),
    createdAt: z.iso.datetime(),
    producer: z.strictObject({ name: z.string(), version: z.string() }),
    status: z.enum(['running', 'complete', 'cancelled', 'failed']),
    /** Why it failed. */
    failure: z.string().optional(),
    question: z.string(),
    model,
    device,
    settings,
    /** Absent for a run that began with its prompt. */
    branch: branch.optional(),
    prompt,
    pictures: z.array(picture),
    tokens: z.array(token),
    blocks: z.array(block),
    latents: z.array(latent),
    timings: z.array(timing),
    arrays: container,
    /** Absent where no samples file knows the picture and the question. */
    verdict: verdict.optional(),
    analyses: z.array(keptAnalysis).max(1000).optional(),
  })
  .meta({ title: 'ILVR trace', description: 'A run of interleaved latent visual reasoning.' });

export type KeptAnalysis = z.output<typeof keptAnalysis>;
export type ArrayRef = z.output<typeof arrayRef>;
export type Trace = z.output<typeof traceSchema>;
export type TraceModel = z.output<typeof model>;
export type TraceProtocol = z.output<typeof protocol>;
export type TraceDevice = z.output<typeof device>;
export type TraceSettings = z.output<typeof settings>;
export type TracePrompt = z.output<typeof prompt>;
export type TracePicture = z.output<typeof picture>;
export type TraceToken = z.output<typeof token>;
export type TraceBlock = z.output<typeof block>;
export type TraceLatent = z.output<typeof latent>;
export type TraceComparison = z.output<typeof comparison>;
export type TraceBranch = z.output<typeof branch>;
export type TraceTiming = z.output<typeof timing>;
export type TraceVerdict = z.output<typeof verdict>;
