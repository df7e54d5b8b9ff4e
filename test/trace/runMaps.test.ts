/** What the latents of a run have in common, and where a reader begins. */

import { describe, expect, test } from 'vitest';
import { scaleOf } from '../../src/heatmap/scale.ts';
import type { MapSelector } from '../../src/trace/maps.ts';
import { openingOf } from '../../src/trace/opening.ts';
import type { RunMaps } from '../../src/trace/runMaps.ts';
import { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { smallRun, smallTrace } from '../fixtures/smallTrace.ts';

const ATTENTION: MapSelector = { kind: 'attention', picture: 'image-1', layer: 1, heads: 'mean' };
/** Keys of the fixture's picture: six tokens from the third on. */
const FIRST = 2;

/**
 * The fixture with attention that `weightOf` gives to each patch, the rest on the first key.
 * @param weightOf (latent, layer, patch) → probability
 */
function looking(weightOf: (latent: number, layer: number, patch: number) => number): OpenTrace {
  return smallRun('complete', (latent, layer, _, keys) => {
    const row = new Float32Array(keys);
    row[0] = 1;
    for (let patch = 0; patch < 6; patch++) {
      const weight = weightOf(latent, layer, patch);
      row[FIRST + patch] = weight;
      row[0] -= weight;
    }
    return row;
  });
}

/** The maps of a run with what `selector` needs at hand. */
async function loaded({ maps }: OpenTrace, selector: MapSelector = ATTENTION): Promise<RunMaps> {
  await maps.load(selector);
  return maps;
}

describe('where a reader begins', () => {
  test('the layer whose latents look at the picture most, and the latent that looks most there', () => {
    const { trace } = looking(
      (latent, layer, patch) => (layer === 0 ? 0.1 : 0.01) + (latent === 2 && patch === 4 ? 0.3 : 0),
    );
    const opening = openingOf(trace);
    expect(opening.layer()).toBe(0);
    expect(opening.latent()).toBe(2);
    expect(opening.layers().map(({ mass }) => mass)).toEqual([
      expect.closeTo(0.6 + 0.3 / 4, 5),
      expect.closeTo(0.06 + 0.3 / 4, 5),
    ]);
  });

  test('follows a run that grows', () => {
    const { trace: whole } = looking((latent, layer) =>
      layer === (latent < 2 ? 0 : 1) ? 0.02 + 0.04 * latent : 0.01,
    );
    const running = { ...whole, latents: whole.latents.slice(0, 2) };
    const opening = openingOf(running);
    expect([opening.layer(), opening.latent()]).toEqual([0, 1]);
    running.latents.push(...whole.latents.slice(2));
    expect([opening.layer(), opening.latent()]).toEqual([1, 3]);
    expect(opening.layers()[0]!.queries).toBe(4);
  });

  test('without latents the words decide, and without both the last layer is as good as any', () => {
    const trace = smallTrace();
    trace.latents = [];
    const words = openingOf(trace).layers();
    expect(words[0]!.queries).toBe(trace.tokens.filter(({ attention }) => attention).length);
    for (const token of trace.tokens) delete token.looks;
    expect(openingOf({ ...trace }).layer()).toBe(1);
    expect(openingOf({ ...trace }).latent()).toBe(-1);
  });
});

describe('scales', async () => {
  const run = smallRun();
  const { trace } = run;
  const maps = await loaded(run);
  const mapsOf = (latents = trace.latents) => latents.map((latent) => maps.map(latent, ATTENTION)!);

  test('span the run, the block or the latent', () => {
    const latent = trace.latents[2]!;
    expect(maps.scale(ATTENTION, 'raw', 'run', latent)).toEqual(scaleOf(mapsOf()));
    expect(maps.scale(ATTENTION, 'raw', 'block', latent)).toEqual(scaleOf(mapsOf(trace.latents.slice(2))));
    expect(maps.scale(ATTENTION, 'raw', 'latent', latent)).toEqual(scaleOf(mapsOf([latent])));
  });

  test('grow with the run, as its slices arrive', async () => {
    const running = { ...trace, latents: trace.latents.slice(0, 1) };
    const growing = await loaded(new OpenTrace(running, run.container));
    const first = scaleOf(mapsOf(trace.latents.slice(0, 1)));
    expect(growing.scale(ATTENTION, 'raw', 'run')).toEqual(first);
    running.latents.push(...trace.latents.slice(1));
    expect(growing.isReady(ATTENTION)).toBe(false);
    expect(growing.scale(ATTENTION, 'raw', 'run')).toEqual(first);
    await growing.load(ATTENTION);
    expect(growing.scale(ATTENTION, 'raw', 'run')).toEqual(scaleOf(mapsOf()));
  });

  test('of every kind are those of its own maps', async () => {
    for (const kind of ['selection', 'similarity'] as const) {
      const selector: MapSelector = { ...ATTENTION, kind };
      await maps.load(selector);
      const own = trace.latents.map((latent) => maps.map(latent, selector)!);
      expect(maps.scale(selector, 'raw', 'run'), kind).toEqual(scaleOf(own));
    }
  });
});

describe('readings', () => {
  const sinking = looking((latent, _, patch) => (patch === 5 ? 0.2 : patch === latent ? 0.1 : 0.01));

  test('name the patch that most latents look at most, and mask it', async () => {
    const maps = await loaded(sinking);
    expect(maps.sink(ATTENTION)).toEqual({ patch: 5, queries: 4, of: 4 });
    const map = maps.map(sinking.trace.latents[1]!, ATTENTION, 'masked')!;
    expect(map.values[5]).toBeNaN();
    expect(map.peak).toBe(1);
    expect(map.removed!.share).toBeCloseTo(0.2 / 0.34, 4);
    expect(maps.scale(ATTENTION, 'masked', 'run').most).toBeCloseTo(0.1, 4);
  });

  test('take the mean over all latents away', async () => {
    const map = (await loaded(sinking)).map(sinking.trace.latents[1]!, ATTENTION, 'relative')!;
    expect(map.values[5]).toBeCloseTo(0, 6);
    expect(map.values[1]).toBeCloseTo(0.1 - (0.1 + 3 * 0.01) / 4, 4);
    expect(map.peak).toBe(1);
  });

  test('are of attention only', async () => {
    const selection: MapSelector = { ...ATTENTION, kind: 'selection' };
    const map = (await loaded(sinking, selection)).map(sinking.trace.latents[1]!, selection, 'masked')!;
    expect(map.reading).toBe('raw');
  });

  test('name no sink where latents differ', async () => {
    const maps = await loaded(looking((latent, _, patch) => (patch === latent ? 0.2 : 0.01)));
    expect(maps.sink(ATTENTION)).toBeUndefined();
  });
});
