/** Faithfulness: latents made without some patches of the picture, in the order of a map and in others. */

import type { AnalysedLatent } from '../../analysis/run.ts';
import type { AnalysisParameters, AnalysisResult } from '../../analysis/table.ts';
import { UserError } from '../../base/errors.ts';
import { seededNumbers } from '../../base/random.ts';
import { sliceOf, type Embeddings } from '../../inference/embeddings.ts';
import type { KvCache } from '../../inference/kvCache.ts';
import { replay } from '../../inference/replay.ts';
import { readSelfFed } from '../../inference/selfFed.ts';
import { cosines } from '../../model/selection.ts';
import type { NumericArray } from '../../tensor/array.ts';
import { layerLookingMost } from '../../trace/opening.ts';
import { positionOf, requireFed, type ModelRun, type RunnerContext } from './modelRun.ts';
import { cosineOf, OwnReading } from './rereading.ts';

type Parameters = AnalysisParameters<'faithfulness'>;
type Result = AnalysisResult<'faithfulness'>;
type Measured = Result['latents'][number];
type Context = RunnerContext<'faithfulness'>;

/** A token of a picture in the prompt. */
interface Patch {
  position: number;
  /** (C): mean of its picture's features. */
  mean: Float32Array;
  /** (D·C): the same of their DeepStack levels, where there are some. */
  levels: Float32Array | undefined;
}

/** What becomes of the picture: patches, as indices, that are taken away, or all of them by a share. */
type Removal = { patches: ReadonlySet<number> } | { share: number };

interface Value {
  state: number;
  answer: number;
}

export async function runFaithfulness(
  of: ModelRun,
  parameters: Parameters,
  context: Context,
): Promise<Result> {
  requireFed(of);
  const chosen = latentsOf(of, parameters);
  const patches = patchesOf(of);
  context.progress({ code: 'read-run' });
  const own = await OwnReading.read(of, context.pause);
  const maps = await mapsOf(of, patches, parameters, context);
  const fractions = Float32Array.from({ length: parameters.points + 1 }, (_, i) => i / parameters.points);
  const done: Measured[] = [];
  const result = (): Result => ({
    layer: maps.layer,
    fractions: { shape: [fractions.length], data: fractions },
    latents: [...done],
  });
  for (const latent of chosen) {
    const test = await LatentTest.of(own, latent, patches, parameters);
    try {
      const index = of.run.latents.indexOf(latent);
      const step = async (share: number): Promise<void> => {
        context.progress({ code: 'take-patches' }, (done.length + share) / chosen.length);
        await context.pause();
      };
      const curves = await curvesOf(test, maps.of(index), maps.sink, parameters, step);
      const withoutOrder = whyWithoutOrder(maps.of(index), parameters);
      done.push({ latent: index, ...(withoutOrder !== undefined && { withoutOrder }), ...curves });
      context.found(result());
    } finally {
      test.dispose();
    }
  }
  return result();
}

/** @throws UserError if the run has no such block or latent */
function latentsOf({ run }: ModelRun, { block, latent }: Parameters): AnalysedLatent[] {
  const inBlock = run.latents.filter((each) => each.block === block - 1);
  const chosen = latent === 0 ? inBlock : inBlock.filter(({ index }) => index === latent - 1);
  if (chosen.length > 0) return chosen;
  throw new UserError({
    problem: 'This run has no such latent',
    expected:
      inBlock.length === 0
        ? `a block from 1 to ${run.blocks.length}`
        : `a latent from 1 to ${inBlock.length}`,
    found: `latent ${latent} of block ${block}`,
  });
}

function patchesOf({ pictures }: ModelRun): Patch[] {
  return pictures.flatMap(({ picture, features }) => {
    if (picture.start === undefined) return [];
    const count = features.shape[0]!;
    const mean = meanRow(features.data, count);
    const levels = features.levels && meanRow(features.levels, count);
    return Array.from({ length: count }, (_, i) => ({ position: picture.start! + i, mean, levels }));
  });
}

function meanRow(data: Float32Array, count: number): Float32Array {
  const width = data.length / count;
  const sums = new Float64Array(width);
  data.forEach((value, i) => (sums[i % width]! += value));
  return Float32Array.from(sums, (sum) => sum / count);
}

interface Maps {
  layer: number;
  /** By patch. */
  of: (latent: number) => Float32Array;
  /** Mean of all latents' attention: what they look at alike. */
  sink: Float32Array;
}

/** One replay: attention of all latents, heads averaged, in one layer. */
async function mapsOf(
  of: ModelRun,
  patches: readonly Patch[],
  { map, layer }: Parameters,
  { pause }: Context,
) {
  const { model, run, sequence, pictures } = of;
  const { layers, heads } = model.checkpoint.config.text;
  if (layer > layers) {
    throw new UserError({
      problem: 'The model has no such layer',
      expected: `1 to ${layers}, or 0`,
      found: String(layer),
    });
  }
  const places = run.latents.map((latent) => positionOf(of, latent));
  const byLayer = Array.from({ length: layers }, () => places.map(() => new Float32Array(patches.length)));
  for await (const { attention } of replay(model, sequence, { attention: new Set(places) })) {
    const { queries, values } = attention;
    const [, , count = 0, keys = 0] = values.shape;
    queries.forEach((query, q) => {
      const latent = places.indexOf(query);
      for (let l = 0; l < layers; l++) {
        for (let head = 0; head < heads; head++) {
          const row = ((l * heads + head) * count + q) * keys;
          patches.forEach(({ position }, i) => {
            byLayer[l]![latent]![i]! += values.data[row + position]! / heads;
          });
        }
      }
    });
    await pause();
  }
  const mass = byLayer.map((maps) => maps.reduce((sum, each) => sum + each.reduce((a, b) => a + b, 0), 0));
  const used = layer > 0 ? layer - 1 : layerLookingMost(mass);
  const attended = byLayer[used]!;
  const sink = new Float32Array(patches.length);
  for (const each of attended) each.forEach((value, i) => (sink[i]! += value / attended.length));
  const seen = pictures.filter(({ picture }) => picture.start !== undefined);
  const maps: Maps = {
    layer: used,
    sink,
    of: (latent) =>
      map === 'attention'
        ? attended[latent]!
        : Float32Array.from(
            seen.flatMap(({ features }) => [...cosines(run.latents[latent]!.vector, features)]),
          ),
  };
  return maps;
}

/** One latent, made again and again without some patches. */
class LatentTest {
  private readonly own: OwnReading;
  private readonly patches: readonly Patch[];
  private readonly hide: Parameters['hide'];
  private readonly at: number;
  /** Of the latent and those of its block after it. */
  private readonly places: readonly number[];
  /** The run before the latent, over its own picture. */
  private readonly before: KvCache;

  private constructor(
    own: OwnReading,
    patches: readonly Patch[],
    hide: Parameters['hide'],
    places: readonly number[],
    before: KvCache,
  ) {
    this.own = own;
    this.patches = patches;
    this.hide = hide;
    this.at = places[0]!;
    this.places = places;
    this.before = before;
  }

  static async of(
    own: OwnReading,
    latent: AnalysedLatent,
    patches: readonly Patch[],
    { hide }: Parameters,
  ): Promise<LatentTest> {
    const places = own.of.run.latents
      .filter(({ block, index }) => block === latent.block && index >= latent.index)
      .map((each) => positionOf(own.of, each));
    return new LatentTest(own, patches, hide, places, await own.cacheTo(places[0]!));
  }

  get count(): number {
    return this.patches.length;
  }

  /** Whether patches can be moved towards the mean by a share. */
  get canMix(): boolean {
    return this.hide === 'features';
  }

  async measure(removal: Removal): Promise<Value> {
    const { vectors, next } =
      this.hide === 'mask' ? await this.withMask(removal) : await this.withFeatures(removal);
    return { state: cosineOf(next, this.own.state(this.at)), answer: await this.answerWith(vectors) };
  }

  dispose(): void {
    this.before.dispose();
  }

  /** The picture is another for all that is read, up to the end of the block. */
  private async withFeatures(removal: Removal): Promise<Made> {
    const { of, sequence } = this.own;
    const rows = new Map<number, Float32Array>();
    const additions = new Map<number, Float32Array>();
    const { embeddings } = sequence;
    this.patches.forEach(({ position, mean, levels }, i) => {
      if (!('share' in removal) && !removal.patches.has(i)) return;
      const share = 'share' in removal ? removal.share : 1;
      const { data, added } = sliceOf(embeddings, position, position + 1);
      rows.set(position, towards(data, mean, share));
      if (added && levels) additions.set(position, towards(added, levels, share));
    });
    const cache = of.model.newCache();
    try {
      return await this.make(this.own.withRows(rows, additions), cache, new Set(this.places));
    } finally {
      cache.dispose();
    }
  }

  /** The latents of the block do not see them; all before was read with them. */
  private async withMask(removal: Removal): Promise<Made> {
    const { sequence } = this.own;
    const hidden = new Set<number>();
    if ('patches' in removal) for (const i of removal.patches) hidden.add(this.patches[i]!.position);
    const cache = this.before.fork();
    try {
      const made = new Set(this.places.slice(1));
      return await this.make(sequence.embeddings, cache, made, hidden);
    } finally {
      cache.dispose();
    }
  }

  private async make(
    embeddings: Embeddings,
    cache: KvCache,
    made: ReadonlySet<number>,
    hidden: ReadonlySet<number> = new Set(),
  ): Promise<Made> {
    const { of, sequence } = this.own;
    const width = embeddings.shape[1]!;
    const {
      first,
      hidden: states,
      vectors,
    } = await readSelfFed(of.model, {
      ...sequence,
      embeddings,
      sees: (query, key) => sequence.sees(query, key) && !hidden.has(key),
      made,
      cache,
      before: this.own.fedAfter(this.at - 1),
      end: this.places.at(-1)! + 1,
    });
    const row = this.at - first;
    return { vectors, next: states.data.slice(row * width, (row + 1) * width) };
  }

  /** Change of the answer's log-probability over the whole picture, with these latents. */
  private async answerWith(vectors: ReadonlyMap<number, Float32Array>): Promise<number> {
    const { of, sequence, answer } = this.own;
    const words = answer.filter((word) => sequence.promptLength + word > this.places.at(-1)!);
    if (words.length === 0) return 0;
    const embeddings = this.own.withRows(vectors);
    const cache = this.before.fork();
    try {
      const end = sequence.promptLength + words.at(-1)!;
      const read = { ...sequence, embeddings, made: new Set<number>(), cache, end };
      return (await this.own.compare(words, await readSelfFed(of.model, read))).answer;
    } finally {
      cache.dispose();
    }
  }
}

/** Part of the way to the mean; all of it gives the mean itself. */
function towards(own: Float32Array, mean: Float32Array, share: number): Float32Array {
  return share === 1 ? mean : own.map((value, c) => value + share * (mean[c]! - value));
}

interface Made {
  /** By position. */
  vectors: ReadonlyMap<number, Float32Array>;
  /** (C): the state after the latent. */
  next: Float32Array;
}

async function curvesOf(
  test: LatentTest,
  map: Float32Array,
  sink: Float32Array,
  { points, orders, seed }: Parameters,
  step: (share: number) => Promise<void>,
): Promise<Pick<Measured, 'state' | 'answer'>> {
  const { count } = test;
  const nothing: Value = { state: 1, answer: 0 };
  const without = await test.measure({ patches: new Set(Array.from({ length: count }, (_, i) => i)) });
  const [byMap, bySink] = [orderOf(map), orderOf(sink)];
  const curvesCount = [byMap, byMap, bySink, bySink].filter(Boolean).length + orders + (test.canMix ? 1 : 0);
  let finished = 0;
  /** From nothing taken away to all. */
  const along = async (removal: (share: number) => Removal): Promise<Value[]> => {
    const values = [nothing];
    for (let i = 1; i < points; i++) {
      values.push(await test.measure(removal(i / points)));
      await step((finished + i / points) / curvesCount);
    }
    finished++;
    return [...values, without];
  };
  const first = (order: readonly number[]) => (share: number) => ({
    patches: new Set(order.slice(0, Math.round(share * count))),
  });
  const deletion = (order: readonly number[]): Promise<Value[]> => along(first(order));
  /** The last of the order go first, so that its first alone are left; then read the other way. */
  const insertion = async (order: readonly number[]): Promise<Value[]> =>
    (await along(first(order.toReversed()))).toReversed();
  const single = {
    ...(byMap && { deletion: await deletion(byMap), insertion: await insertion(byMap) }),
    ...(bySink && { sinkDeletion: await deletion(bySink), sinkInsertion: await insertion(bySink) }),
  };
  const random: Value[][] = [];
  for (let i = 0; i < orders; i++) random.push(await deletion(shuffled(count, seed + i)));
  const mean = test.canMix ? await along((share) => ({ share })) : undefined;
  const arrays = (pick: (value: Value) => number): Measured['state'] => {
    const line = (values: readonly Value[]): NumericArray => ({
      shape: [values.length],
      data: Float32Array.from(values, pick),
    });
    const { deletion: away, insertion: back, sinkDeletion, sinkInsertion } = single;
    return {
      ...(away && back && { deletion: line(away), insertion: line(back) }),
      ...(sinkDeletion &&
        sinkInsertion && { sinkDeletion: line(sinkDeletion), sinkInsertion: line(sinkInsertion) }),
      random: { shape: [orders, points + 1], data: Float32Array.from(random.flat(), pick) },
      ...(mean && { mean: line(mean) }),
    };
  };
  return { state: arrays(({ state }) => state), answer: arrays(({ answer }) => answer) };
}

/** Patches, the largest first; undefined where all are alike. */
function orderOf(map: Float32Array): number[] | undefined {
  if (isEven(map)) return undefined;
  return [...map.keys()].toSorted((a, b) => map[b]! - map[a]! || a - b);
}

function isEven(map: Float32Array): boolean {
  return map.every((value) => value === map[0]);
}

function whyWithoutOrder(map: Float32Array, { map: kind }: Parameters): Measured['withoutOrder'] {
  if (!isEven(map)) return undefined;
  return kind === 'attention' && !map[0] ? 'no-look' : 'even';
}

function shuffled(count: number, seed: number): number[] {
  const random = seededNumbers(seed);
  const keys = Float64Array.from({ length: count }, () => random());
  return [...keys.keys()].toSorted((a, b) => keys[a]! - keys[b]!);
}
