/**
 * The vision tower that runs: the pixels of one picture → features of its merged tokens.
 *
 * A small picture goes through the whole tower at once. Of a larger one the scores of full attention alone
 * would take patches² · 4 bytes a head, so it is read in parts and stretches (see ../model/vision.ts): what is
 * held for the whole picture is linear in its patches, and all else is bounded.
 */

import { baseOf } from '../model/bases/all.ts';
import type { PatchInput } from '../model/bases/base.ts';
import type { VisionConfig } from '../model/config.ts';
import { visionRotation, type PatchGrid } from '../model/positions.ts';
import { levelName, namesAt, slotsPerWindow, stretchesOf, visionGraph } from '../model/vision.ts';
import type { WeightSource } from '../model/weightSource.ts';
import { patchesPerRun, pictureParts, type PicturePart } from '../model/windows.ts';
import { GraphBuilder } from '../onnx/graphBuilder.ts';
import {
  floats,
  floatTensor,
  intTensor,
  openSession,
  type Runtime,
  type RuntimeTensor,
  type Session,
  type SessionOptions,
  type Tensors,
} from '../ort/session.ts';
import type { NumericArray } from '../tensor/array.ts';
import type { PictureFeatures } from './embeddings.ts';

type TowerOptions = Omit<SessionOptions, 'keepOnDevice'>;

export interface EncodeOptions {
  /** That one run reads, if they are more than a window; by default see `patchesPerRun`. */
  maxPatches?: number;
  /** Called before each run with the share that is done; throwing stops. */
  onRun?: (done: number) => Promise<void>;
}

/** The tower, or what lies between two of its blocks with full attention. */
interface OpenStretch {
  session: Session;
  /** The block it begins in. */
  after?: number;
}

export class Tower {
  private readonly config: VisionConfig;
  private readonly weights: WeightSource;
  private readonly options: TowerOptions;
  /** One, until the first picture of several parts; only either is held, because each has all weights. */
  private stretches: OpenStretch[];

  private constructor(config: VisionConfig, weights: WeightSource, options: TowerOptions, whole: Session) {
    this.config = config;
    this.weights = weights;
    this.options = options;
    this.stretches = [{ session: whole }];
  }

  static async open(config: VisionConfig, weights: WeightSource, options: TowerOptions): Promise<Tower> {
    return new Tower(config, weights, options, await openSession(visionGraph(config, weights), options));
  }

  async release(): Promise<void> {
    await Promise.all(this.stretches.splice(0).map(({ session }) => session.release()));
  }

  /**
   * Merged features of one picture.
   * @param pixels (patches, channels · frames · patch²), as the image processor gives them
   * @returns (tokens, C)
   */
  async encode(
    pixels: Float32Array,
    grid: PatchGrid,
    { maxPatches = patchesPerRun(grid), onRun = async () => undefined }: EncodeOptions = {},
  ): Promise<PictureFeatures> {
    const parts = pictureParts(this.config, grid, maxPatches);
    if (parts.length > 1) await this.openStretches();
    const feeds = new PartFeeds(this.config, grid, pixels);
    const runs = parts.length * this.stretches.length;
    let done = 0;
    /** By part: what the stretch before gave. */
    const held: Tensors[] = parts.map(() => ({}));
    const levels = new Levels(this.config, grid);
    let shared: Tensors = {};
    try {
      for (const { session, after } of this.stretches) {
        if (after !== undefined) shared = await this.join(held, after);
        for (const [i, part] of parts.entries()) {
          await onRun(done++ / runs);
          const given = held[i]!;
          held[i] = await session.run({ ...feeds.of(part, session.inputs), ...given, ...shared });
          dispose(given);
          levels.take(held[i], part);
        }
        dispose(shared);
      }
      return { ...this.collect(parts, held), ...(levels.count > 0 && { levels: levels.values }) };
    } finally {
      for (const tensors of [...held, shared]) dispose(tensors);
    }
  }

  /** Exchanges the whole tower for its stretches. */
  private async openStretches(): Promise<void> {
    const stretches = stretchesOf(this.config);
    if (stretches.length === this.stretches.length) return;
    await this.release();
    for (const stretch of stretches) {
      const { after, before } = stretch;
      const session = await openSession(visionGraph(this.config, this.weights, stretch), {
        ...this.options,
        keepOnDevice: before === undefined ? [] : Object.values(namesAt(before, this.config.heads)).flat(),
      });
      this.stretches.push({ session, ...(after !== undefined && { after }) });
    }
  }

  /** Takes keys and values out of what is held of the parts, and joins them to those of the whole picture. */
  private async join(held: readonly Tensors[], block: number): Promise<Tensors> {
    const { keys, values } = namesAt(block, this.config.heads);
    const session = held.length > 1 ? await openJoin(held.length, this.config, this.options) : undefined;
    const joined: Tensors = {};
    try {
      for (const name of [...keys, ...values]) {
        const rows = held.map((tensors) => tensors[name]!);
        joined[name] = session === undefined ? rows[0]! : await joinRows(session, rows);
        for (const tensors of held) delete tensors[name];
      }
    } finally {
      await session?.release();
    }
    return joined;
  }

  /** The parts' features, each token at its place in the picture. */
  private collect(parts: readonly PicturePart[], held: readonly Tensors[]): NumericArray {
    const { outputSize, mergeSize } = this.config;
    const patches = parts.reduce((sum, part) => sum + part.patches.length, 0);
    const tokens = patches / mergeSize ** 2;
    const features = new Float32Array(tokens * outputSize);
    for (const [i, part] of parts.entries())
      placeTokens(floats(held[i]!['features']), part, this.config, (token) => [features, token * outputSize]);
    return { shape: [tokens, outputSize], data: features };
  }
}

/** The features of DeepStack's levels, as they come from stretch after stretch, part after part. */
class Levels {
  readonly count: number;
  /** (tokens, D·C) */
  readonly values: Float32Array;
  private readonly config: VisionConfig;

  constructor(config: VisionConfig, { height, width }: PatchGrid) {
    this.config = config;
    this.count = config.deepstackBlocks?.length ?? 0;
    const tokens = (height * width) / config.mergeSize ** 2;
    this.values = new Float32Array(tokens * this.count * config.outputSize);
  }

  /** Takes those of a part out of what a run has given. */
  take(given: Tensors, part: PicturePart): void {
    const { outputSize } = this.config;
    for (let level = 0; level < this.count; level++) {
      const name = levelName(level);
      const rows = given[name];
      if (rows === undefined) continue;
      placeTokens(floats(rows), part, this.config, (token) => [
        this.values,
        (token * this.count + level) * outputSize,
      ]);
      rows.dispose();
      delete given[name];
    }
  }
}

/** Puts a part's rows, one for each merged token (outputSize), where they belong. */
function placeTokens(
  rows: Float32Array,
  { patches }: PicturePart,
  { mergeSize, outputSize }: VisionConfig,
  placeOf: (token: number) => [target: Float32Array, at: number],
): void {
  const merged = mergeSize ** 2;
  for (let row = 0; row * merged < patches.length; row++) {
    const [target, at] = placeOf(patches[row * merged]! / merged);
    target.set(rows.subarray(row * outputSize, (row + 1) * outputSize), at);
  }
}

/** What the graphs ask for besides what stretches pass on. */
class PartFeeds {
  private readonly perWindow: number;
  private readonly patches: number;
  private readonly pixels: Float32Array;
  private readonly cos: Float32Array;
  private readonly sin: Float32Array;
  /** Of the base alone. */
  private readonly own: Record<string, PatchInput>;

  constructor(config: VisionConfig, grid: PatchGrid, pixels: Float32Array) {
    this.perWindow = slotsPerWindow(config);
    this.patches = grid.height * grid.width;
    this.pixels = pixels;
    ({ cos: this.cos, sin: this.sin } = visionRotation(config, grid));
    this.own = baseOf(config).tower.inputs?.(config, grid) ?? {};
  }

  /** @param inputs those that are wanted */
  of({ patches, windows, slots, places, mask }: PicturePart, inputs: readonly string[]): Tensors {
    const rows = <A extends Float32Array | BigInt64Array>(values: A): A =>
      rowsOf(values, patches, this.patches);
    const angles = (values: Float32Array): RuntimeTensor =>
      floatTensor(rows(values), [1, patches.length, values.length / this.patches]);
    const makers: Record<string, () => RuntimeTensor> = {
      pixels: () => floatTensor(rows(this.pixels), [patches.length, this.pixels.length / this.patches]),
      cos: () => angles(this.cos),
      sin: () => angles(this.sin),
      slots: () => intTensor(slots),
      places: () => intTensor(places),
      mask: () => floatTensor(mask, [windows, 1, 1, this.perWindow]),
    };
    for (const [name, { values, width }] of Object.entries(this.own)) {
      const shape = [patches.length, width];
      makers[name] = () =>
        values instanceof Float32Array ? floatTensor(rows(values), shape) : intTensor(rows(values), shape);
    }
    const wanted = Object.entries(makers).filter(([name]) => inputs.includes(name));
    return Object.fromEntries(wanted.map(([name, make]) => [name, make()]));
  }
}

/** Some rows of values (total, …); not copied if they are all. */
function rowsOf<A extends Float32Array | BigInt64Array>(values: A, rows: Int32Array, total: number): A {
  if (rows.length === total) return values;
  const width = values.length / total;
  const Rows = values.constructor as new (length: number) => A;
  const result = new Rows(rows.length * width);
  rows.forEach((row, i) => result.set(values.subarray(row * width, (row + 1) * width) as never, i * width));
  return result;
}

/** A graph that puts the rows of so many tensors (S, d) below one another; on a GPU nothing leaves the device. */
function openJoin(
  count: number,
  { hiddenSize, heads }: VisionConfig,
  { provider, threads }: Runtime,
): Promise<Session> {
  const graph = new GraphBuilder('join');
  const d = hiddenSize / heads;
  const parts = Array.from({ length: count }, (_, i) => graph.input(`part.${i}`, 'float32', [`S${i}`, d]));
  graph.output('rows', graph.op('Concat', parts, { axis: 0 }), ['N', d]);
  return openSession(graph.build(), { provider, threads, weightsFolder: '', keepOnDevice: ['rows'] });
}

async function joinRows(session: Session, parts: readonly RuntimeTensor[]): Promise<RuntimeTensor> {
  const { rows } = await session.run(Object.fromEntries(parts.map((part, i) => [`part.${i}`, part])));
  for (const part of parts) part.dispose();
  return rows!;
}

/** GPU buffers are not garbage-collected. */
function dispose(tensors: Tensors): void {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}
