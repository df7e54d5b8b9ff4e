/** The panel's pure logic: commands, keys, geometry, scales, brushing, replay. */

import { describe, expect, test } from 'vitest';
import { applyEvent, startTrace } from '../../src/trace/events.ts';
import type { MapSelector } from '../../src/trace/maps.ts';
import { stepsOf } from '../../src/trace/steps.ts';
import {
  brushAttended,
  brushAttending,
  brushRegion,
  brushToken,
  ranked,
  strength,
} from '../../src/webview/logic/brushing.ts';
import { cosinesOf } from '../../src/evidence/cosines.ts';
import { duration, number, parameters, percent, totalTime } from '../../src/webview/logic/format.ts';
import { movePatch, patchAt, patchesOf, pixelsOf, regionOf } from '../../src/webview/logic/grid.ts';
import { keyEffect, type Place } from '../../src/webview/logic/keyboard.ts';
import { captionOf, contourText, remarkOn, scaleText } from '../../src/webview/logic/caption.ts';
import { layerBars } from '../../src/webview/logic/layers.ts';
import { wordPlaces } from '../../src/webview/logic/places.ts';
import { pictureLabel, resolve } from '../../src/webview/logic/resolve.ts';
import { layoutOf } from '../../src/webview/logic/stageLayout.ts';
import { columnsFor } from '../../src/webview/logic/thumbnails.ts';
import { timingRates } from '../../src/evidence/rates.ts';
import { isShare } from '../../src/trace/maps.ts';
import { latentIndexAt, visualCount } from '../../src/trace/columns.ts';
import { openingOf } from '../../src/trace/opening.ts';
import type { PaidTo, Query } from '../../src/trace/queries.ts';
import { OpenTrace } from '../../src/traceFile/openTrace.ts';
import { entropyOf } from '../../src/heatmap/statistics.ts';
import { lookAt } from '../../src/trace/looks.ts';
import { reopened } from '../fixtures/reopened.ts';
import { nearestPoint, runsOf, spanOf } from '../../src/evidence/span.ts';
import { stageMapOf } from '../../src/webview/logic/stageMap.ts';
import {
  INITIAL_VIEW,
  preferencesOf,
  reduce,
  stepChoice,
  type Command,
} from '../../src/webview/logic/view.ts';
import { restoreView } from '../../src/webview/logic/storedView.ts';
import { eventsOf } from './replay.ts';
import { sampleRun } from './sampleTrace.ts';

const run = sampleRun();
const { trace, maps, reader } = run;
const count = trace.tokens.length;
const attention: MapSelector = { kind: 'attention', picture: 'image-1', layer: 1, heads: 'mean' };
const load = (...queries: Query[]) => Promise.all(queries.map((query) => maps.slices.load(query)));
/** A word's or latent's stored row, as whoever has the container reads it. */
const rowOf = async (token: number, layer: number | 'mean', heads: number | 'mean' = 'mean') =>
  (await reader.read(maps.rowNeeds(token, layer, heads)))[0]!;
const after = (...commands: Command[]) =>
  commands.reduce((view, command) => reduce(view, command, trace), INITIAL_VIEW);

describe('commands', () => {
  test('← and → walk the latents and stop at the ends', () => {
    const first = { type: 'latent', latent: 0 } as const;
    expect(after(first, { type: 'move', by: -1 }).latent).toBe(0);
    expect(after(first, { type: 'move', by: 1 }, { type: 'move', by: 1 }).latent).toBe(2);
    expect(after({ type: 'latent', latent: 11 }, { type: 'move', by: 1 }).latent).toBe(11);
  });

  test('↓ goes from a block to the text after it, and on to the same place in the next block', () => {
    const text = after({ type: 'latent', latent: 2 }, { type: 'move-step', by: 1 });
    expect(text.token).toBe(stepsOf(trace)[3]!.first);
    const block = reduce(text, { type: 'move-step', by: 1 }, trace);
    expect(block).toMatchObject({ latent: 4 + 2, token: undefined });
  });

  test('→ in the text goes to the next token, over a block', () => {
    const line = stepsOf(trace)[1]!;
    expect(after({ type: 'token', token: line.last }, { type: 'move', by: 1 }).token).toBe(
      stepsOf(trace)[3]!.first,
    );
  });

  test('layers go mean, max, 1 … n and do not wrap', () => {
    expect(stepChoice('mean', 1, 4)).toBe('max');
    expect(stepChoice('max', 1, 4)).toBe(0);
    expect(stepChoice(3, 1, 4)).toBe(3);
    expect(stepChoice('mean', -1, 4)).toBe('mean');
  });

  test('without a choice the layer is the one whose latents look most, and [ goes on from it', () => {
    expect(resolve(INITIAL_VIEW, trace).selector.layer).toBe(openingOf(trace).layer());
    expect(after({ type: 'move-layer', by: -1 }).layer).toBe(stepChoice(openingOf(trace).layer(), -1, 4));
    expect(resolve({ ...INITIAL_VIEW, layer: 99 }, trace).selector.layer).toBe(trace.model.layers - 1);
  });

  test('another picture drops the patch and the region', () => {
    const grid = { rows: 6, columns: 6 };
    const view = after(
      { type: 'move-patch', rows: 1, columns: 0, grid, extend: true },
      { type: 'set', values: { picture: 'helper-1' } },
    );
    expect(view).toMatchObject({ patch: undefined, region: undefined });
  });

  test('Shift and arrows extend a region from where they began', () => {
    const grid = { rows: 6, columns: 6 };
    const view = after(
      { type: 'patch', patch: 7 },
      { type: 'move-patch', rows: 1, columns: 0, grid, extend: true },
      { type: 'move-patch', rows: 0, columns: 2, grid, extend: true },
    );
    expect(view.region).toEqual({ top: 1, left: 1, bottom: 2, right: 3 });
  });

  test('a running trace is followed until the reader selects', () => {
    const running = { ...trace, status: 'running' as const };
    const view = after({ type: 'latent', latent: 7 }, { type: 'run-started', id: 'one' });
    expect(resolve(view, running).latentIndex).toBe(trace.latents.length - 1);
    const selected = reduce(view, { type: 'latent', latent: 3 }, running);
    expect(resolve(selected, running).latentIndex).toBe(3);
    expect(reduce(selected, { type: 'run-started', id: 'one' }, running)).toBe(selected);
    expect(reduce(selected, { type: 'run-started', id: 'two' }, running).latent).toBeUndefined();
  });

  test('after a run the latent that looks most is selected, however fast the run was', () => {
    const most = openingOf(trace).latent();
    expect(resolve(INITIAL_VIEW, trace).latentIndex).toBe(most);
    expect(resolve(after({ type: 'run-started', id: 'one' }), trace).latentIndex).toBe(most);
    expect(
      resolve(after({ type: 'run-started', id: 'one' }, { type: 'latent', latent: 3 }), trace).latentIndex,
    ).toBe(3);
  });

  test('a stored state is restored; nonsense in it falls back', () => {
    const view = after({ type: 'set', values: { heads: 2, tab: 'timing' } }, { type: 'latent', latent: 5 });
    expect(restoreView(JSON.parse(JSON.stringify(view)))).toMatchObject({
      heads: 2,
      tab: 'timing',
      latent: 5,
    });
    const nonsense = { layer: 'all', latent: 'x', strength: null, law: 'rainbow', scope: 'world', tab: 3 };
    expect(restoreView(nonsense)).toEqual(INITIAL_VIEW);
    expect(restoreView(undefined)).toEqual(INITIAL_VIEW);
  });
});

describe('drawing', () => {
  test('heat, masked, relative, contour and scope are toggled and come back', () => {
    const heat = after({ type: 'toggle-law' });
    expect(heat.law).toBe('heat');
    expect(reduce(heat, { type: 'toggle-law' }, trace).law).toBe('spotlight');
    const masked = after({ type: 'toggle-reading', reading: 'masked' });
    expect(masked.reading).toBe('masked');
    expect(reduce(masked, { type: 'toggle-reading', reading: 'relative' }, trace).reading).toBe('relative');
    expect(reduce(masked, { type: 'toggle-reading', reading: 'masked' }, trace).reading).toBe('raw');
    expect(after({ type: 'toggle-contour' }).contour).toBe(false);
    const scopes = [1, 2, 3].map(
      (times) => after(...Array.from({ length: times }, (): Command => ({ type: 'next-scope' }))).scope,
    );
    expect(scopes).toEqual(['block', 'latent', 'run']);
  });

  test('another kind than attention is asked of the latent, since words have no other', () => {
    expect(
      after({ type: 'token', token: 3 }, { type: 'set', values: { kind: 'selection' } }).token,
    ).toBeUndefined();
    expect(after({ type: 'token', token: 3 }, { type: 'set', values: { kind: 'attention' } }).token).toBe(3);
  });

  test('preferences are how things are drawn and laid out, not what is looked at', () => {
    const view = after(
      { type: 'toggle-law' },
      { type: 'latent', latent: 4 },
      { type: 'set', values: { evidenceHeight: 300, evidenceOpen: false, layer: 2 } },
    );
    const kept = preferencesOf(restoreView(JSON.parse(JSON.stringify(preferencesOf(view)))));
    expect(kept).toMatchObject({ law: 'heat', evidenceHeight: 300, evidenceOpen: false });
    expect(kept).not.toHaveProperty('latent');
    expect(kept).not.toHaveProperty('layer');
  });

  test('the caption says what is outlined, by which share, and what is special', async () => {
    await maps.load(attention);
    await maps.load({ ...attention, kind: 'selection', picture: 'helper-1' });
    const map = {
      ...maps.map(trace.latents[0]!, attention)!,
      mass: 0.4,
      entropy: { bits: 2, uniformBits: 5 },
    };
    const caption = captionOf(map, 0.5, trace.pictures[0], 'A note.');
    expect(caption).toMatch(
      /^Attention of latent 1 of block 1 over input image .* A note\. Outlined: the fewest patches with 50 % of the mass\.$/,
    );
    expect(contourText(map, 0.8)).toContain('80 %');
    expect(contourText(map, 0)).toBeUndefined();
    expect(remarkOn(map)).toBeUndefined();
    expect(remarkOn({ ...map, entropy: { bits: 4.99, uniformBits: 5 } })).toMatch(
      /^Nearly uniform: 4\.99 of at most 5\.00 bits/,
    );
    expect(remarkOn({ ...map, mass: 0.001 })).toContain('only 0.10 % of it is on the picture');
    expect(remarkOn({ ...map, values: new Float32Array(36) })).toBe('No attention at all on this picture.');
    const selection = maps.map(trace.latents[0]!, { ...attention, kind: 'selection', picture: 'helper-1' })!;
    expect(captionOf(selection, 0.5, trace.pictures[1], undefined)).toMatch(
      /candidates that the rule would keep\. This helper was not part of the prompt/,
    );
  });

  test('the scale is stated: where it ends, of whose values, and what lies beyond', () => {
    const scale = { min: 0, zero: 0, max: 0.2, least: 0, most: 0.31, diverging: false };
    expect(scaleText(scale, 'run')).toBe('0.200, the 99th percentile of the run; the largest value is 0.310');
    expect(scaleText({ ...scale, most: 0.2 }, 'token')).toBe(
      '0.200, the 99th percentile of this token alone',
    );
    expect(scaleText({ ...scale, min: -0.2, diverging: true, most: 0.1 }, 'block')).toMatch(/^±0\.200/);
  });

  test('a layer’s bar is as high as its latents look, and tells why', () => {
    const bars = layerBars(openingOf(trace).layers(), { rows: 6, columns: 6 });
    expect(Math.max(...bars.map(({ height }) => height))).toBe(1);
    expect(bars[openingOf(trace).layer()]!.height).toBe(1);
    expect(bars[2]!.text).toMatch(
      /^Layer 3: visual mass 0\.\d\d · entropy \d\.\d\d of 5\.17 bits · largest patch the same \(row \d, column \d\) for \d+ of 12/,
    );
  });

  test('small maps stand in rows of equal length, as large as there is room', () => {
    expect(columnsFor(8, 440)).toEqual({ columns: 8, side: 51 });
    expect(columnsFor(8, 2000)).toEqual({ columns: 8, side: 88 });
    expect(columnsFor(8, 200)).toEqual({ columns: 4, side: 47 });
    expect(columnsFor(30, 500).columns).toBe(10);
  });

  test('the picture stands above its controls where it stays large, else beside them', () => {
    expect(layoutOf({ width: 900, height: 600 }, 1, false)).toEqual({ kind: 'below', bar: 'up' });
    expect(layoutOf({ width: 630, height: 400 }, 1, false)).toEqual({ kind: 'beside', bar: 'across' });
    expect(layoutOf({ width: 760, height: 300 }, 1, false)).toEqual({ kind: 'beside', bar: 'up' });
    expect(layoutOf({ width: 500, height: 900 }, 1, true)).toEqual({ kind: 'stack', bar: 'across' });
  });
});

describe('what is shown', () => {
  test('a reference helper has no attention; the wish for it comes back with the input', () => {
    const helper = after({ type: 'set', values: { picture: 'helper-1' } });
    expect(resolve(helper, trace)).toMatchObject({
      kinds: ['selection', 'similarity'],
      selector: { kind: 'selection' },
    });
    const back = reduce(helper, { type: 'set', values: { picture: 'image-1' } }, trace);
    expect(resolve(back, trace).selector.kind).toBe('attention');
  });

  test('pictures are called by their role', () => {
    expect(trace.pictures.map((picture) => pictureLabel(trace, picture))).toEqual([
      'Input',
      'Helper 1',
      'Helper 2',
      'Helper 3',
    ]);
  });

  test('several inputs go by their names', () => {
    const [input] = trace.pictures;
    const two = { ...trace, pictures: [input!, { ...input!, id: 'image-2', name: 'photo.jpg' }] };
    expect(two.pictures.map((picture) => pictureLabel(two, picture))).toEqual(['1: map-05', '2: photo']);
  });

  test('words that read alike are told apart by their step and what stands around them', () => {
    const threes = trace.tokens.flatMap(({ text }, i) => (text === '3' ? [i] : []));
    expect(wordPlaces(trace, threes)).toEqual([
      { step: 1, before: '…, goal (', word: '3', after: ',3).…' },
      { step: 1, before: '…goal (3,', word: '3', after: ').↵' },
    ]);
  });

  test('maxima are no shares', () => {
    expect(isShare(attention)).toBe(true);
    expect(isShare({ ...attention, heads: 'max' })).toBe(false);
    expect(isShare({ ...attention, kind: 'selection' })).toBe(false);
  });

  test("a token's map is its own attention over the picture, and says so", async () => {
    const view = after({ type: 'set', values: { layer: 3 } });
    await load(maps.rowNeeds(3, 3, 'mean'));
    const stage = stageMapOf(trace, maps, resolve(view, trace), 3, view);
    expect(stage.map!.values).toEqual((await rowOf(3, 3)).slice(0, visualCount(trace)));
    expect(stage.map!.caption).toContain('token');
    expect(stage.scale.max).toBeGreaterThanOrEqual(stage.map!.values[stage.map!.peak]!);
    expect(stage.mass).toEqual(lookAt(trace.tokens[3]!, 3)!.mass);
  });

  test('mass by source is in the trace for averaged heads, and counted from the row of a single one', async () => {
    const view = after({ type: 'set', values: { layer: 1, heads: 2 } }, { type: 'latent', latent: 5 });
    const shown = resolve(view, trace);
    expect(stageMapOf(trace, maps, shown, undefined, view).mass).toBeUndefined();
    await load(maps.rowNeeds(shown.latent!.token, 1, 2));
    const { mass } = stageMapOf(trace, maps, shown, undefined, view);
    const row = await rowOf(shown.latent!.token, 1, 2);
    const range = trace.pictures[0]!.range!;
    const seen = row.slice(range.start, range.start + range.count).reduce((sum, value) => sum + value, 0);
    expect(mass!.pictures).toBeCloseTo(seen, 5);
    expect(mass!.pictures + mass!.prompt + mass!.latents + mass!.answer).toBeCloseTo(1, 2);
    const averaged = { ...view, heads: 'mean' as const };
    expect(stageMapOf(trace, maps, resolve(averaged, trace), undefined, averaged).mass).toEqual(
      lookAt(trace.tokens[shown.latent!.token]!, 1)!.mass,
    );
  });

  test('a trace without the comparison says what is absent, once that has been read', async () => {
    const bare = new OpenTrace(
      { ...trace, latents: trace.latents.map((latent) => ({ ...latent, comparisons: [] })) },
      run.container,
    );
    const shown = resolve({ ...INITIAL_VIEW, kind: 'similarity' }, bare.trace);
    const absent = () => stageMapOf(bare.trace, bare.maps, shown, undefined, INITIAL_VIEW).absent;
    expect(absent()).toBe('The map is being read.');
    await bare.maps.load(shown.selector);
    expect(absent()).toContain('similarity');
  });
});

describe('keys', () => {
  const press = (key: string, place: Place = 'elsewhere', shift = false) =>
    keyEffect({ key, shift, modified: false }, place, { rows: 6, columns: 6 });

  test('arrows belong to the place', () => {
    expect(press('ArrowLeft')).toEqual({ type: 'move', by: -1 });
    expect(press('ArrowDown')).toEqual({ type: 'move-step', by: 1 });
    expect(press('ArrowLeft', 'control')).toBeUndefined();
    expect(press('ArrowUp', 'stage', true)).toMatchObject({ type: 'move-patch', rows: -1, extend: true });
  });

  test('layer, heads, kind, help and escape work everywhere', () => {
    for (const place of ['elsewhere', 'stage', 'control'] as const) {
      expect(press('[', place)).toEqual({ type: 'move-layer', by: -1 });
      expect(press('}', place)).toEqual({ type: 'move-heads', by: 1 });
      expect(press('3', place)).toEqual({ type: 'set', values: { kind: 'similarity' } });
      expect(press('?', place)).toEqual({ type: 'help' });
      expect(press('Escape', place)).toEqual({ type: 'escape' });
    }
  });

  test("keys with Ctrl, Alt or Meta are VS Code's", () => {
    expect(keyEffect({ key: '1', shift: false, modified: true }, 'elsewhere', undefined)).toBeUndefined();
  });
});

describe('patches', () => {
  const grid = { rows: 2, columns: 3 };

  test('a point, a move, a rectangle', () => {
    expect(patchAt(0.99, 0.51, grid)).toBe(5);
    expect(patchAt(1, 0.5, grid)).toBeUndefined();
    expect(movePatch(5, 1, 1, grid)).toBe(5);
    expect(movePatch(undefined, 0, 1, grid)).toBe(4);
    expect(patchesOf(regionOf(2, 4, grid), grid)).toEqual([1, 2, 4, 5]);
  });

  test('pixels are those of the source picture', () => {
    const picture = { ...trace.pictures[0]!, width: 96, height: 96 };
    expect(pixelsOf(8, picture)).toEqual({ x: [32, 47], y: [16, 31] });
  });

  test('a boundary inside a source pixel gives that pixel to both patches', () => {
    const picture = { ...trace.pictures[0]!, width: 100, height: 100 };
    expect(pixelsOf(0, picture).x).toEqual([0, 16]);
    expect(pixelsOf(1, picture).x).toEqual([16, 33]);
    expect(pixelsOf(5, picture).x).toEqual([83, 99]);
  });
});

describe('brushing', () => {
  const latent = trace.latents[5]!;
  const whole = { top: 0, left: 0, bottom: 5, right: 5 };
  const paid = (layer: number, to: PaidTo): Query => ({
    family: { of: 'paid', layer, to, count },
    from: 0,
    to: 1,
  });

  test('words that attend to a latent come after it, by what their own rows say', async () => {
    expect(brushAttending(trace, maps, 5, 2, count)).toBeUndefined();
    await load(paid(2, { latent: 5 }));
    const { tokens, most } = brushAttending(trace, maps, 5, 2, count)!;
    expect(Math.min(...tokens.keys())).toBeGreaterThan(latent.token);
    const rows = await Promise.all([...tokens.keys()].map((token) => rowOf(token, 2)));
    expect([...tokens.values()]).toEqual(rows.map((row) => row[visualCount(trace) + 5]));
    expect(most.tokens).toBe(Math.max(...tokens.values()));
  });

  test('words a latent attends to come before it, read from its row', async () => {
    expect(brushAttended(trace, maps, latent, 2, 'mean')).toBeUndefined();
    await load(maps.rowNeeds(latent.token, 2, 'mean'));
    const { tokens } = brushAttended(trace, maps, latent, 2, 'mean')!;
    expect(Math.max(...tokens.keys())).toBeLessThan(latent.token);
    expect([...tokens.keys()].every((token) => trace.tokens[token]!.kind === 'text')).toBe(true);
    const row = await rowOf(latent.token, 2);
    expect(tokens.get(3)).toBe(row[trace.prompt.ids.length + 3]);
  });

  test('a word draws on the latents before it, and what is not stored is said', async () => {
    const token = stepsOf(trace)[3]!.first;
    await load(maps.rowNeeds(token, 0, 'mean'));
    const { latents, tokens, lack } = brushToken(trace, maps, token, 0);
    expect([...latents.keys()]).toEqual([0, 1, 2, 3]);
    expect(tokens.size).toBe(0);
    expect(lack).toBe('What words pay to other words is not stored.');
  });

  test('a region over everything holds the whole visual mass', async () => {
    const picture = trace.pictures[0]!;
    await maps.load(attention);
    expect(brushRegion(trace, maps, picture, whole, attention, count).tokens.size).toBe(0);
    await load(paid(1, { picture: picture.id, patches: [...Array(36).keys()] }));
    const { latents, tokens } = brushRegion(trace, maps, picture, whole, attention, count);
    expect(latents.get(0)).toBeCloseTo(maps.map(trace.latents[0]!, attention)!.mass!, 5);
    // Sums over float16 against what was summed before it was rounded.
    for (const [token, value] of tokens)
      expect(value).toBeCloseTo(lookAt(trace.tokens[token]!, 1)!.mass.pictures, 2);
    expect(tokens.size).toBeGreaterThan(0);
  });

  test('in a helper picture a region has latents only, by the mean cosine', async () => {
    const picture = trace.pictures[1]!;
    const selector: MapSelector = { ...attention, kind: 'similarity', picture: picture.id };
    await maps.load(selector);
    const region = { top: 0, left: 0, bottom: 0, right: 1 };
    const { latents, tokens } = brushRegion(trace, maps, picture, region, selector, count);
    const { values } = maps.map(trace.latents[0]!, selector)!;
    expect(latents.get(0)).toBeCloseTo((values[0]! + values[1]!) / 2, 6);
    expect(tokens.size).toBe(0);
  });

  test('ranks go from the largest down, equal ones in order', () => {
    const amounts = new Map([
      [4, 0.1],
      [2, 0.5],
      [9, 0.5],
    ]);
    expect(ranked(amounts).map(({ index }) => index)).toEqual([2, 9, 4]);
    const brush = { title: '', tokens: amounts, latents: new Map(), most: { tokens: 0.5, latents: 0 } };
    expect(strength(brush, 'tokens', 4)).toBeCloseTo(0.2);
    expect(strength(brush, 'tokens', 1)).toBe(0);
  });

  test('a latent is found by its token', () => {
    expect(trace.latents.map(({ token }) => latentIndexAt(trace, token))).toEqual([...trace.latents.keys()]);
    expect(latentIndexAt(trace, 0)).toBeUndefined();
  });
});

describe('evidence', () => {
  test('the span has a point for each position with figures, and gaps elsewhere', () => {
    const { points, uniformBits } = spanOf(trace, maps, 'mean', 'mean');
    expect(uniformBits).toBeCloseTo(Math.log2(36));
    expect(points.every(({ mass, bits }) => mass > 0 && mass < 1 && bits <= uniformBits)).toBe(true);
    expect(points).toHaveLength(trace.tokens.filter(({ looks }) => looks !== undefined).length);
    expect(runsOf(points).length).toBeGreaterThan(trace.blocks.length);
    expect(spanOf(trace, maps, 'max', 'max')).toMatchObject({ layer: 'mean', heads: 'mean' });
  });

  test('over several layers the entropy is the mean of the layers’ entropies', async () => {
    const { points } = spanOf(trace, maps, 'mean', 'mean');
    const { token, bits } = points[0]!;
    const rows = await Promise.all([0, 1, 2, 3].map((layer) => rowOf(token, layer)));
    const own = rows.map((row) => entropyOf(row.subarray(0, 36)).bits);
    expect(bits).toBeCloseTo(own.reduce((sum, value) => sum + value, 0) / 4, 2);
  });

  test('with one head there are latents only, each with that head’s mass', async () => {
    const selector = { ...attention, heads: 2 };
    expect(spanOf(trace, maps, 1, 2).points).toEqual([]);
    await maps.load(selector);
    const { points } = spanOf(trace, maps, 1, 2);
    expect(points.map(({ token }) => token)).toEqual(trace.latents.map(({ token }) => token));
    const { mass } = maps.map(trace.latents[0]!, selector)!;
    expect(points[0]!.mass).toBeCloseTo(mass!, 6);
  });

  test('a position without attention stands for its nearest neighbour', () => {
    const points = [3, 4, 9].map((token) => ({ token, mass: 0, bits: 0 }));
    expect([0, 6, 7, 99].map((token) => nearestPoint(points, token)!.token)).toEqual([3, 4, 9, 9]);
    expect(nearestPoint([], 3)).toBeUndefined();
  });

  test('time is told per token too', () => {
    const timings = [
      { name: 'read prompt', milliseconds: trace.prompt.ids.length * 2 },
      { name: 'generate', milliseconds: trace.tokens.length * 30 },
    ];
    expect(timingRates({ ...trace, timings })).toEqual([
      { name: 'Prompt', value: `${trace.prompt.ids.length} tokens, 36 of pictures` },
      { name: 'Answer', value: `${trace.tokens.length} tokens, 12 latents` },
      { name: 'Per prompt token', value: '2.0 ms' },
      { name: 'Per token of the answer, latents alike', value: '30 ms' },
    ]);
  });

  test('cosines by block are the means of those of their latents', async () => {
    const [values] = await reader.read({
      family: { of: 'cosines', count: trace.latents.length },
      from: 0,
      to: 1,
    });
    const { count: side, blocks, within, between } = cosinesOf(trace, values!);
    expect(side).toBe(12);
    const mean = (rows: number[], columns: number[]) => {
      const pairs = rows.flatMap((i) => columns.filter((j) => j !== i).map((j) => values![i * side + j]!));
      return pairs.reduce((sum, value) => sum + value, 0) / pairs.length;
    };
    expect(blocks[0]![1]).toBeCloseTo(mean([0, 1, 2, 3], [4, 5, 6, 7]), 5);
    expect(blocks[1]![0]).toBe(blocks[0]![1]);
    expect(blocks[2]![2]).toBeCloseTo(mean([8, 9, 10, 11], [8, 9, 10, 11]), 5);
    expect(within).toBeGreaterThan(between);
  });

  test('the engine’s total counts once', () => {
    const parts = [
      { name: 'read prompt', milliseconds: 10 },
      { name: 'generate', milliseconds: 30 },
    ];
    expect(totalTime(parts)).toBe(40);
    expect(totalTime([...parts, { name: 'total', milliseconds: 41 }])).toBe(41);
    expect(totalTime([])).toBeUndefined();
  });
});

test('numbers read the same everywhere', () => {
  expect([0, 0.138, 0.01234, 0.00001, -0.25, 12.34].map(number)).toEqual([
    '0',
    '0.138',
    '0.0123',
    '1.0e−5',
    '−0.250',
    '12.3',
  ]);
  expect(percent(0.172)).toBe('17.2 %');
  expect(parameters(4_540_000)).toBe('4.54 M');
  expect([5.25, 53, 410, 61_000, 125_000].map(duration)).toEqual([
    '5.3 ms',
    '53 ms',
    '0.41 s',
    '1 min 1 s',
    '2 min 5 s',
  ]);
});

test('a replayed trace is the trace', async () => {
  const [start, ...events] = eventsOf(trace);
  if (start?.type !== 'start') throw new Error('a run begins with start');
  const replayed = startTrace(start);
  for (const event of events) applyEvent(replayed, event);
  expect({ ...replayed, arrays: trace.arrays }).toEqual((await reopened(run)).trace);
});
