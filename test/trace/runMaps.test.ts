/** What the latents of a run have in common, and where a reader begins. */

import { describe, expect, test } from 'vitest';
import { scaleOf } from '../../src/heatmap/scale.ts';
import type { MapSelector } from '../../src/trace/maps.ts';
import { runMaps } from '../../src/trace/runMaps.ts';
import type { Trace } from '../../src/trace/schema.ts';
import { smallTrace } from '../fixtures/smallTrace.ts';

const ATTENTION: MapSelector = { kind: 'attention', picture: 'image-1', layer: 1, heads: 'mean' };
/** Keys of the fixture's picture: six tokens from the third on. */
const FIRST = 2;

/**
 * The fixture with attention that `weightOf` gives to each patch, the rest on the first key.
 * @param weightOf (latent, layer, patch) → probability
 */
function looking(weightOf: (latent: number, layer: number, patch: number) => number): Trace {
  const trace = smallTrace();
  trace.latents.forEach(({ attention: { shape, data } }, i) => {
    const [layers = 0, heads = 0, keys = 0] = shape;
    data.fill(0);
    for (let row = 0; row < layers * heads; row++) {
      let rest = 1;
      for (let patch = 0; patch < 6; patch++) {
        const weight = weightOf(i, Math.floor(row / heads), patch);
        data[row * keys + FIRST + patch] = weight;
        rest -= weight;
      }
      data[row * keys] = rest;
    }
  });
  return trace;
}

describe('where a reader begins', () => {
  test('the layer whose latents look at the picture most, and the latent that looks most there', () => {
    const maps = runMaps(
      looking((latent, layer, patch) => (layer === 0 ? 0.1 : 0.01) + (latent === 2 && patch === 4 ? 0.3 : 0)),
    );
    expect(maps.openingLayer()).toBe(0);
    expect(maps.openingLatent()).toBe(2);
    expect(maps.layers().map(({ mass }) => mass)).toEqual([
      expect.closeTo(0.6 + 0.3 / 4, 5),
      expect.closeTo(0.06 + 0.3 / 4, 5),
    ]);
  });

  test('follows a run that grows', () => {
    const whole = looking((latent, layer) => (layer === (latent < 2 ? 0 : 1) ? 0.02 + 0.04 * latent : 0.01));
    const running = { ...whole, latents: whole.latents.slice(0, 2) };
    const maps = runMaps(running);
    expect([maps.openingLayer(), maps.openingLatent()]).toEqual([0, 1]);
    running.latents.push(...whole.latents.slice(2));
    expect([maps.openingLayer(), maps.openingLatent()]).toEqual([1, 3]);
    expect(maps.layers()[0]!.queries).toBe(4);
  });

  test('without latents the words decide, and without both the last layer is as good as any', () => {
    const trace = smallTrace();
    trace.latents = [];
    const words = runMaps(trace).layers();
    expect(words[0]!.queries).toBe(trace.tokens.filter(({ attention }) => attention).length);
    for (const token of trace.tokens) delete token.attention;
    expect(runMaps({ ...trace }).openingLayer()).toBe(1);
    expect(runMaps({ ...trace }).openingLatent()).toBe(-1);
  });
});

describe('scales', () => {
  const trace = smallTrace();
  const maps = runMaps(trace);
  const mapsOf = (latents = trace.latents) => latents.map((latent) => maps.map(latent, ATTENTION)!);

  test('span the run, the block or the latent', () => {
    const latent = trace.latents[2]!;
    expect(maps.scale(ATTENTION, 'raw', 'run', latent)).toEqual(scaleOf(mapsOf()));
    expect(maps.scale(ATTENTION, 'raw', 'block', latent)).toEqual(scaleOf(mapsOf(trace.latents.slice(2))));
    expect(maps.scale(ATTENTION, 'raw', 'latent', latent)).toEqual(scaleOf(mapsOf([latent])));
  });

  test('grow with the run', () => {
    const running = { ...trace, latents: trace.latents.slice(0, 1) };
    const growing = runMaps(running);
    expect(growing.scale(ATTENTION, 'raw', 'run')).toEqual(scaleOf(mapsOf(trace.latents.slice(0, 1))));
    running.latents.push(...trace.latents.slice(1));
    expect(growing.scale(ATTENTION, 'raw', 'run')).toEqual(scaleOf(mapsOf()));
  });

  test('of every kind are those of its own maps', () => {
    for (const kind of ['selection', 'similarity'] as const) {
      const selector: MapSelector = { ...ATTENTION, kind };
      const own = trace.latents.map((latent) => maps.map(latent, selector)!);
      expect(maps.scale(selector, 'raw', 'run'), kind).toEqual(scaleOf(own));
    }
  });
});

describe('readings', () => {
  const sinking = looking((latent, _, patch) => (patch === 5 ? 0.2 : patch === latent ? 0.1 : 0.01));

  test('name the patch that most latents look at most, and mask it', () => {
    const maps = runMaps(sinking);
    expect(maps.sink(ATTENTION)).toEqual({ patch: 5, queries: 4, of: 4 });
    const map = maps.map(sinking.latents[1]!, ATTENTION, 'masked')!;
    expect(map.values[5]).toBeNaN();
    expect(map.peak).toBe(1);
    expect(map.removed!.share).toBeCloseTo(0.2 / 0.34, 4);
    expect(maps.scale(ATTENTION, 'masked', 'run').most).toBeCloseTo(0.1, 6);
  });

  test('take the mean over all latents away', () => {
    const map = runMaps(sinking).map(sinking.latents[1]!, ATTENTION, 'relative')!;
    expect(map.values[5]).toBeCloseTo(0, 6);
    expect(map.values[1]).toBeCloseTo(0.1 - (0.1 + 3 * 0.01) / 4, 6);
    expect(map.peak).toBe(1);
  });

  test('are of attention only', () => {
    const selection: MapSelector = { ...ATTENTION, kind: 'selection' };
    const map = runMaps(sinking).map(sinking.latents[1]!, selection, 'masked')!;
    expect(map.reading).toBe('raw');
  });

  test('name no sink where latents differ', () => {
    expect(
      runMaps(looking((latent, _, patch) => (patch === latent ? 0.2 : 0.01))).sink(ATTENTION),
    ).toBeUndefined();
  });
});
