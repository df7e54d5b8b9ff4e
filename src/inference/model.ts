/**
 * A loaded checkpoint: pictures → features, ids → embeddings, sequence → hidden states and attention,
 * hidden state → logits. It knows graphs and caches; it knows nothing of prompts or latent blocks.
 */

import type { Activity } from '../base/activity.ts';
import { UserError } from '../base/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { readTensor } from '../checkpoint/formats/safetensors.ts';
import { cacheNames, decoderGraph, embeddingGraph, headGraph } from '../model/decoder.ts';
import { latentHeadGraph } from '../model/latentHead.ts';
import { positionsPerRun } from '../model/memory.ts';
import { mropePositions, textRotation, type PatchGrid, type Position } from '../model/positions.ts';
import {
  floats,
  floatTensor,
  intTensor,
  openSession,
  type Provider,
  type Runtime,
  type Session,
  type Tensors,
} from '../ort/session.ts';
import type { NumericArray } from '../tensor/array.ts';
import { sliceOf, type Embeddings, type PictureFeatures } from './embeddings.ts';
import { nonFiniteIndex, numbersLost, type Stage } from './finite.ts';
import { KvCache, openMergeSession, type Visibility } from './kvCache.ts';
import { Tower, type EncodeOptions } from './tower.ts';

/** Growing rows after which they are merged, so that a step copies little. */
const FREEZE_EVERY = 64;

/** How positions are read. */
export interface Reading {
  /** Indices among the new positions whose attention is wanted; the last one's if absent. */
  rows?: readonly number[];
  /** Indices among the new positions whose states after every layer are wanted; none if absent. */
  states?: readonly number[];
  /** What each of them attends to; itself and all before it if absent. */
  sees?: Visibility;
  /** Where the new position of an index stands in its own sequence, for messages; absent: in the cache, which has one. */
  placeOf?: (index: number) => number;
}

const isNotLater: Visibility = (query, key) => key <= query;

export interface DecoderStep {
  /** (S, C) after the final norm. */
  hidden: NumericArray;
  /** (L, H, Q, keys): probabilities of the captured rows over all keys up to now. */
  attention: NumericArray;
  /** (L, P, C): what each layer gave, before the final norm; where it was asked for. */
  states?: NumericArray;
}

/** What a model consists of. */
interface Parts {
  tower: Tower;
  embedding: Session;
  decoder: Session;
  head: Session;
  merge: Session;
  /** Of models whose latents go through one. */
  latentHead?: Session;
}

export class Model {
  readonly checkpoint: Checkpoint;
  readonly provider: Provider;
  /** Of the CPU; undefined for all cores. */
  readonly threads: number | undefined;
  private readonly parts: Parts;

  private constructor(checkpoint: Checkpoint, { provider, threads }: Runtime, parts: Parts) {
    this.checkpoint = checkpoint;
    this.provider = provider;
    this.threads = threads;
    this.parts = parts;
  }

  /**
   * Opens the graphs.
   * @param onProgress is told before each; throwing there stops the load
   * @param threads of the CPU; absent: all cores
   */
  static async open(
    checkpoint: Checkpoint,
    provider: Provider,
    onProgress: (activity: Activity, fraction: number) => Promise<void> = async () => undefined,
    threads?: number,
  ): Promise<Model> {
    const { config, weights } = checkpoint;
    const present = Array.from({ length: config.text.layers }, (_, layer) => cacheNames(layer));
    const options = { threads, weightsFolder: weights.root };
    const prepack = weights.packed !== undefined;
    const open = (graph: Uint8Array, keepOnDevice: string[] = []): Promise<Session> =>
      openSession(graph, { ...options, provider, prepack, keepOnDevice });
    const { latentHead } = config;
    const steps: { [Name in keyof Parts]: () => Promise<Parts[Name]> } = {
      tower: () => Tower.open(config.vision, weights, { ...options, provider, prepack }),
      // A few rows of a table that stays in its file: a GPU would need all of it, and has no bfloat16.
      embedding: () => openSession(embeddingGraph(config.text, weights), { ...options, provider: 'cpu' }),
      head: () => open(headGraph(config.text, weights)),
      decoder: () =>
        open(
          decoderGraph(config.text, weights),
          present.flatMap((names) => [names.presentKey, names.presentValue]),
        ),
      merge: () => openMergeSession(config.text, { provider, threads }),
      ...(latentHead !== undefined && {
        latentHead: () => open(latentHeadGraph(latentHead, config.text.hiddenSize, weights)),
      }),
    };
    const parts: Partial<Parts> = {};
    try {
      let done = 0;
      for (const [name, openStep] of Object.entries(steps)) {
        await onProgress({ code: 'open-graph', of: name }, done++ / Object.keys(steps).length);
        Object.assign(parts, { [name]: await openStep() });
      }
    } catch (error) {
      await Promise.all(Object.values(parts).map((part) => part.release()));
      throw error;
    }
    return new Model(checkpoint, { provider, threads }, parts as Parts);
  }

  async release(): Promise<void> {
    await Promise.all(Object.values(this.parts).map((part) => part.release()));
  }

  /**
   * Merged features of one picture.
   * @param pixels (patches, channels · frames · patch²), as the image processor gives them
   * @returns (tokens, C)
   */
  async encodeImage(
    pixels: Float32Array,
    grid: PatchGrid,
    options: EncodeOptions = {},
  ): Promise<PictureFeatures> {
    const features = await this.parts.tower.encode(pixels, grid, options);
    const { outputSize } = this.checkpoint.config.vision;
    const place = (i: number): string => `at merged token ${Math.floor(i / outputSize)}`;
    await this.checkFinite('picture features', features.data, place);
    if (features.levels !== undefined)
      await this.checkFinite('picture features', features.levels, () => 'in a level of DeepStack');
    return features;
  }

  /** ids → (S, C) */
  async embed(ids: readonly number[]): Promise<NumericArray> {
    const result = await this.parts.embedding.run({ ids: intTensor(ids) });
    const embeddings = floats(result['embeddings']);
    const width = this.checkpoint.config.text.hiddenSize;
    await this.checkFinite('embeddings', embeddings, (i) => `of token ${ids[Math.floor(i / width)]}`);
    return { shape: [ids.length, width], data: embeddings };
  }

  /** hidden (S, C) → logits (S, V) */
  async logits(hidden: NumericArray): Promise<NumericArray> {
    const result = await this.parts.head.run({ hidden: floatTensor(hidden.data, hidden.shape) });
    const logits = floats(result['logits']);
    const width = this.checkpoint.config.text.vocabularySize;
    await this.checkFinite('logits', logits, (i) => `for token ${i % width}`);
    return { shape: [hidden.shape[0]!, width], data: logits };
  }

  /** What states (S, C) become before they are fed as latents (S, C), where the model has a head for that. */
  async latentHead({ shape, data: hidden }: NumericArray): Promise<NumericArray> {
    const { latentHead } = this.parts;
    if (latentHead === undefined) throw new Error('the model has no head for latents');
    const result = await latentHead.run({ hidden: floatTensor(hidden, shape) });
    const data = floats(result['latents']);
    await this.checkFinite('latents', data, () => 'after the head for latents');
    return { shape, data };
  }

  /** A vector (C) of the checkpoint, such as the one that ends blocks by its distance. */
  async learntVector(name: string): Promise<Float32Array> {
    const { weights, folder } = this.checkpoint;
    const shape = weights.stored(name)?.shape;
    if (shape === undefined)
      throw new UserError({ problem: 'a vector is missing', expected: `the tensor ${name}`, where: folder });
    return readTensor(weights.get(name, shape));
  }

  newCache(): KvCache {
    return new KvCache(this.checkpoint.config.text, this.parts.merge);
  }

  /**
   * Reads S more positions.
   * @param embeddings (S, C)
   */
  async step(
    cache: KvCache,
    embeddings: Embeddings,
    positions: readonly Position[],
    { rows = [positions.length - 1], states, sees = isNotLater, placeOf }: Reading = {},
  ): Promise<DecoderStep> {
    const { text } = this.checkpoint.config;
    const count = positions.length;
    const start = cache.length;
    const { cos, sin } = textRotation(text, positions);
    const angles = [1, count, text.headSize / 2];
    const { feeds, parts, mask, slotOf } = cache.inputs(count, sees);
    const result = await this.parts.decoder.run({
      ...feeds,
      embeddings: floatTensor(embeddings.data, embeddings.shape),
      ...this.addedTo(embeddings),
      cos: floatTensor(cos, angles),
      sin: floatTensor(sin, angles),
      mask: floatTensor(mask, [count, mask.length / count]),
      parts: intTensor(parts),
      rows: intTensor(rows),
      // Empty tensors have no kernels on WebGPU, and one row costs nothing.
      state_rows: intTensor(states ?? [0]),
    });
    cache.append(result, count);
    const step = {
      hidden: { shape: [count, text.hiddenSize], data: floats(result['hidden']) },
      attention: pickSlots(floats(result['attention']), text.layers * text.heads * rows.length, slotOf, [
        text.layers,
        text.heads,
        rows.length,
      ]),
      ...(states && {
        states: { shape: [text.layers, states.length, text.hiddenSize], data: floats(result['states']) },
      }),
    };
    await this.checkStep(step, placeOf ?? ((index) => start + index));
    if (cache.growingLength >= FREEZE_EVERY) await cache.freeze();
    return step;
  }

  /** What the first layers add; where that is nothing, one row says so for all positions. */
  private addedTo({ shape, added }: Embeddings): Tensors {
    const { deepstackLayers = 0, hiddenSize } = this.checkpoint.config.text;
    if (deepstackLayers === 0) return {};
    const width = deepstackLayers * hiddenSize;
    if (added === undefined) return { added: floatTensor(new Float32Array(width), [1, width]) };
    return { added: floatTensor(added, [shape[0]!, width]) };
  }

  /**
   * Reads a whole prompt in chunks.
   * @param onChunk called before each chunk with the positions read so far; throwing stops
   * @returns hidden states of all positions and the attention of the last
   */
  async prefill(
    cache: KvCache,
    embeddings: Embeddings,
    positions: readonly Position[],
    onChunk: (read: number) => Promise<void> = async () => undefined,
  ): Promise<DecoderStep> {
    const [count = 0, width = 0] = embeddings.shape;
    const chunk = positionsPerRun(this.checkpoint.config.text, cache.length + count);
    const hidden = new Float32Array(count * width);
    let last: DecoderStep | undefined;
    for (let start = 0; start < count; start += chunk) {
      await onChunk(start);
      const end = Math.min(count, start + chunk);
      last = await this.step(cache, sliceOf(embeddings, start, end), positions.slice(start, end));
      await cache.freeze();
      hidden.set(last.hidden.data, start * width);
    }
    if (last === undefined) throw new Error('the prompt is empty');
    return { hidden: { shape: [count, width], data: hidden }, attention: last.attention };
  }

  /**
   * A lost number spreads from layer to layer, and to all that attend to its position: the first layer whose
   * attention it has reached is where it was lost, or the one before. What is lost in a row of attention is lost in
   * the state of that position too, so that only states are looked at while all is well.
   * @param placeOf where the position of an index stands in its sequence
   */
  private async checkStep(
    { hidden, attention }: DecoderStep,
    placeOf: (index: number) => number,
  ): Promise<void> {
    const { layers, hiddenSize } = this.checkpoint.config.text;
    if (nonFiniteIndex(hidden.data) < 0) return;
    const reached = nonFiniteIndex(attention.data);
    const layer =
      reached < 0
        ? 'after all attention'
        : `in the attention of layer ${layerOf(reached, attention)} of ${layers}`;
    await this.checkFinite(
      'hidden states',
      hidden.data,
      (i) => `at position ${placeOf(Math.floor(i / hiddenSize))}, first ${layer}`,
    );
  }

  /** @throws UserError if not all values are numbers, saying where they were lost */
  private async checkFinite(
    stage: Stage,
    values: Float32Array,
    place: (index: number) => string,
  ): Promise<void> {
    const index = nonFiniteIndex(values);
    if (index >= 0) throw await numbersLost(this.checkpoint, this.provider, stage, place(index));
  }

  /** Embeddings of a prompt with each picture's features at its pads, and the M-RoPE positions. */
  async embedPrompt(
    ids: readonly number[],
    pictures: readonly { features: PictureFeatures; grid: PatchGrid }[],
  ): Promise<{ embeddings: Embeddings; positions: Position[]; delta: number }> {
    const { tokens, vision, text } = this.checkpoint.config;
    const embeddings: Embeddings = await this.embed(ids);
    const width = text.hiddenSize;
    const more = (text.deepstackLayers ?? 0) * width;
    const added = more > 0 && pictures.length > 0 ? new Float32Array(ids.length * more) : undefined;
    let picture = 0;
    let row = 0;
    ids.forEach((id, i) => {
      const source = pictures[picture]?.features;
      if (id !== tokens.imagePad || source === undefined) return;
      embeddings.data.set(source.data.subarray(row * width, (row + 1) * width), i * width);
      if (added && source.levels) added.set(source.levels.subarray(row * more, (row + 1) * more), i * more);
      if (++row * width === source.data.length) [picture, row] = [picture + 1, 0];
    });
    const grids = pictures.map(({ grid }) => grid);
    return {
      embeddings: { ...embeddings, added },
      ...mropePositions(ids, tokens.imagePad, grids, vision.mergeSize),
    };
  }
}

/** The layer, counted from 1, of an element of (L, …). */
function layerOf(index: number, { shape, data }: NumericArray): number {
  return Math.floor((index * shape[0]!) / data.length) + 1;
}

/**
 * Attention over slots → over sequence indices, in place: slots rise with the indices, and there are more of them.
 * Neighbours stay neighbours, so whole stretches move.
 */
function pickSlots(
  data: Float32Array,
  rows: number,
  slotOf: readonly number[],
  shape: number[],
): NumericArray {
  const width = data.length / rows;
  const keys = slotOf.length;
  const stretches = stretchesOf(slotOf);
  for (let row = 0; row < rows; row++) {
    for (const { key, slot, length } of stretches) {
      const start = row * width + slot;
      data.copyWithin(row * keys + key, start, start + length);
    }
  }
  return { shape: [...shape, keys], data: data.subarray(0, rows * keys) };
}

/** Where sequence indices that follow each other lie in slots that do. */
function stretchesOf(slotOf: readonly number[]): { key: number; slot: number; length: number }[] {
  const stretches: { key: number; slot: number; length: number }[] = [];
  slotOf.forEach((slot, key) => {
    const last = stretches.at(-1);
    if (last !== undefined && slot === last.slot + last.length) last.length++;
    else stretches.push({ key, slot, length: 1 });
  });
  return stretches;
}
