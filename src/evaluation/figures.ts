/** The figures of an evaluation: accuracy with its interval, in all and per size, other readings, baselines. */

import { baselinesOf, majorityAnswer, type Baselines } from '../dataset/baselines.ts';
import type { Sample } from '../dataset/samples.ts';
import type { GridMap } from '../dataset/scoring.ts';
import { meanInterval, wilsonInterval } from '../dataset/statistics.ts';
import type { SampleResult, SampleTests } from './results.ts';

/** Right ones among some, with Wilson's 95 % interval of the share. */
export interface Share {
  right: number;
  of: number;
  low: number;
  high: number;
}

export interface SizeShare {
  /** Rows of the map. */
  size: number;
  share: Share;
}

/** What a model must beat on the samples that were tried. */
export interface Chance {
  maps?: Baselines;
  /** Of each size, by its rows. */
  sizes: ReadonlyMap<number, Baselines>;
  /** The most frequent answer of the samples without a map, and its share among them. */
  answer?: { answer: string; share: number };
}

export interface Figures {
  all: Share;
  /** Ascending; none where the samples have no maps. */
  sizes: SizeShare[];
  /** By the strict parser and by the released code's reading; absent without maps. */
  strict?: Share;
  released?: Share;
  /** Counted as wrong. */
  notAnswered: number;
}

export function shareOf(outcomes: readonly boolean[]): Share {
  const right = outcomes.filter(Boolean).length;
  return { right, of: outcomes.length, ...wilsonInterval(right, outcomes.length) };
}

export function figuresOf(results: readonly SampleResult[]): Figures {
  const strict = results.flatMap((result) => result.strict ?? []);
  const released = results.flatMap((result) => result.released ?? []);
  return {
    all: shareOf(results.map(({ success }) => success)),
    sizes: sizesOf(results).map((size) => ({ size, share: shareOfSize(results, size) })),
    ...(strict.length > 0 && { strict: shareOf(strict) }),
    ...(released.length > 0 && { released: shareOf(released) }),
    notAnswered: results.filter(({ error }) => error !== undefined).length,
  };
}

/** A mean over runs, with the interval of the mean. */
export interface Mean {
  mean: number;
  low: number;
  high: number;
  of: number;
}

/** Over the tested runs: KL per word without latents, in nats, and the first map's score. */
export function meansOf(tests: readonly SampleTests[]): { kl?: Mean; faithfulness?: Mean } {
  const kl = meanOf(tests.flatMap((test) => test.kl ?? []));
  const faithfulness = meanOf(tests.flatMap((test) => test.faithfulness?.value ?? []));
  return { ...(kl && { kl }), ...(faithfulness && { faithfulness }) };
}

/** Undefined of nothing. */
export function meanOf(values: readonly number[]): Mean | undefined {
  return values.length === 0 ? undefined : { ...meanInterval(values), of: values.length };
}

/** Rows of the maps that occur, ascending. */
export function sizesOf(results: readonly SampleResult[]): number[] {
  return [...new Set(results.flatMap(({ size }) => size ?? []))].toSorted((a, b) => a - b);
}

export function shareOfSize(results: readonly SampleResult[], size: number): Share {
  return shareOf(results.filter((result) => result.size === size).map(({ success }) => success));
}

/** Takes about 2 ms per map. */
export function chanceOf(samples: readonly Sample[]): Chance {
  const maps = mapsOf(samples);
  const all = baselinesOf(maps);
  const sizes = [...new Set(maps.map(({ length }) => length))].map((size): [number, Baselines] => [
    size,
    baselinesOf(maps.filter((map) => map.length === size))!,
  ]);
  const answers = samples.flatMap(({ map, answer }) =>
    map === undefined && answer !== undefined ? answer : [],
  );
  const usual = majorityAnswer(answers);
  return { ...(all && { maps: all }), sizes: new Map(sizes), ...(usual && { answer: usual }) };
}

function mapsOf(samples: readonly Sample[]): GridMap[] {
  return samples.flatMap(({ map }) => (map === undefined ? [] : [map]));
}
